#include "tests/support/own_network.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace tocsin::testing {
namespace {

Error Refused(const char* what) {
  return {ErrorCode::kPermissionDenied, std::string(what) + ": " + std::strerror(errno)};
}

Result<> StartLoopback() {
  const int device = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (device < 0) return Refused("socket");
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = ioctl(device, SIOCSIFFLAGS, &request) == 0;
  close(device);
  return up ? Result<>() : Refused("starting the loopback device");
}

}  // namespace

Result<> EnterOwnNetwork() {
  static bool entered = false;
  if (entered) return {};
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return Refused("unshare");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Refused("mount");
  TOCSIN_RETURN_IF_ERROR(StartLoopback());
  struct stat folder {};
  const char* sockets = "/var/run/postgresql";
  if (stat(sockets, &folder) == 0 && mount("none", sockets, "tmpfs", 0, "mode=0755") != 0) {
    return Refused(sockets);
  }
  entered = true;
  return {};
}

}  // namespace tocsin::testing
