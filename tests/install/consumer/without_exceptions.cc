// A program that is compiled without exceptions. The library, which is compiled with them, lets none out.
#include <kleptometrics/kleptometrics.h>

#include <string>
#include <utility>

int main() {
  kleptometrics::ClientOptions options;
  options.spool_dir = "/dev/null/no/folder";  // trouble, told to a hook
  options.flush_timeout = options.flush_timeout / 10;
  options.on_error = [](std::string_view) {};
  kleptometrics::Client client(std::move(options));
  kleptometrics::Run lost(client, "lost-in-memory");
  lost.step("load").fail("no such file");

  kleptometrics::Run run("nightly-billing");
  run.label("region", std::string(5000, 'x')).count("rows", 3);  // beyond the limit: cut
  auto timer = run.step_timer("price");
  for (int i = 0; i < 1000; ++i) auto timing = timer.start();
  run.fail("reported");
  return run.id().empty() || client.stats().durable ? 1 : 0;
}
