# What every target is compiled with; the presets choose among these.

option(TOCSIN_WERROR "Warnings are errors" OFF)
option(TOCSIN_HARDENED "Hardening flags of a release" OFF)
option(TOCSIN_TESTS "Build the tests" ON)
set(TOCSIN_SANITIZE "" CACHE STRING "-fsanitize= list, empty for none")
set(TOCSIN_TEST_FLAGS "" CACHE STRING "More flags for the sources of tests, not for the rooms they test")

add_library(tocsin_options INTERFACE)
target_include_directories(tocsin_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tocsin_options INTERFACE
  -pthread -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Wno-missing-field-initializers -Wnon-virtual-dtor -Wcast-qual
  -Wimplicit-fallthrough -Woverloaded-virtual)
if(TOCSIN_WERROR)
  target_compile_options(tocsin_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tocsin_options INTERFACE -Wthread-safety)
endif()
if(TOCSIN_HARDENED)
  target_compile_options(tocsin_options INTERFACE
    -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE)
  target_link_options(tocsin_options INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
if(TOCSIN_SANITIZE)
  target_compile_options(tocsin_options INTERFACE
    -fsanitize=${TOCSIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(tocsin_options INTERFACE -fsanitize=${TOCSIN_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The checks in between make GCC see paths that are not there.
    target_compile_options(tocsin_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()

# The standard library's heavy headers are parsed once per build, which halves the
# time of a clean one. Every file still includes what it uses: headers stand first in
# their source or are built alone, and the Clang preset builds everything without this.
option(TOCSIN_PCH "Precompile the standard headers" ON)
set(TOCSIN_STANDARD_HEADERS
  <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <set> <string>
  <string_view> <unordered_map> <utility> <variant> <vector>)
if(TOCSIN_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  file(WRITE ${CMAKE_BINARY_DIR}/standard_headers.cc "// Carries the precompiled headers.\n")
  add_library(tocsin_standard_headers OBJECT ${CMAKE_BINARY_DIR}/standard_headers.cc)
  target_link_libraries(tocsin_standard_headers PRIVATE tocsin_options)
  target_precompile_headers(tocsin_standard_headers PRIVATE ${TOCSIN_STANDARD_HEADERS})
endif()

function(tocsin_use_standard_headers target)
  if(TARGET tocsin_standard_headers)
    target_precompile_headers(${target} REUSE_FROM tocsin_standard_headers)
  endif()
endfunction()

# The same for tests, with GoogleTest's own: most of a test file's time.
function(tocsin_use_test_headers target)
  if(NOT TARGET tocsin_standard_headers)
    return()
  endif()
  if(NOT TARGET tocsin_test_headers)
    file(WRITE ${CMAKE_BINARY_DIR}/test_headers.cc "// Carries the precompiled headers.\n")
    add_library(tocsin_test_headers OBJECT ${CMAKE_BINARY_DIR}/test_headers.cc)
    target_link_libraries(tocsin_test_headers PRIVATE tocsin_options GTest::gmock)
    target_compile_options(tocsin_test_headers PRIVATE ${TOCSIN_TEST_FLAGS})
    target_precompile_headers(tocsin_test_headers PRIVATE
      <gmock/gmock.h> <gtest/gtest.h> ${TOCSIN_STANDARD_HEADERS})
  endif()
  target_precompile_headers(${target} REUSE_FROM tocsin_test_headers)
endfunction()
