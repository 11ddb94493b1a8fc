#pragma once

// The connections of History, each with its prepared statements. For history.cc.

#include <memory>
#include <span>
#include <string>

#include "daemon/base/sqlite.h"
#include "daemon/store/history.h"
#include "daemon/store/varint.h"

namespace tocsin::store {

// A connection that never checkpoints by itself: the lane does, so that no
// commit waits for the disk.
Result<std::unique_ptr<Database>> OpenConnection(const std::string& path, const std::string& vfs,
                                                 Durability durability, bool quick_check);

struct History::Writer {
  std::unique_ptr<Database> database;
  Statement insert_series;
  Statement insert_row;
  Statement insert_chunk;
  Statement trim;
  Statement delete_oldest;
  Statement delete_series;

  // Opens the file and brings its schema up to date.
  static Result<std::unique_ptr<Writer>> Open(const std::string& path, const std::string& vfs,
                                              bool quick_check);
  Result<> InsertSeries(const NewSeries& series);
  Result<> WriteRows(std::span<const JournalRow> rows);
};

struct History::Reader {
  std::unique_ptr<Database> database;
  Statement chunks;
  Statement extent;
  Statement labels;

  static Result<std::unique_ptr<Reader>> Open(const std::string& path, const std::string& vfs);
};

}  // namespace tocsin::store
