// tocsin_demo_app: the booking platform's application, for the demo to watch.

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <thread>

#include "tests/demo/app/service.h"

int main(int argc, char** argv) {
  tocsin::demo::ServiceOptions options;
  CLI::App app("the booking platform's application");
  app.add_option("--port", options.port, "port of 127.0.0.1 to serve on")->required();
  app.add_option("--database", options.database, "connection string of libpq")->required();
  app.add_option("--redis-port", options.redis_port, "port of the cache")->required();
  app.add_option("--pool-size", options.pool_size, "connections kept");
  app.add_option("--pool-overflow", options.pool_overflow, "connections opened beyond them");
  CLI11_PARSE(app, argc, argv);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  tocsin::demo::Service service(options);
  std::thread stopper([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    service.Stop();
  });
  const auto ran = service.Run();
  if (!ran.ok()) std::cerr << ran.error().message << "\n";
  if (stopper.joinable()) {
    kill(getpid(), SIGTERM);  // Lets the stopper go when the port was taken.
    stopper.join();
  }
  return ran.ok() ? 0 : 1;
}
