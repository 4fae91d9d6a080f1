#include "lib/tls/context.h"

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/certificates.h"

using kleptometrics::tests::Authority;
using kleptometrics::tests::PemFiles;
using kleptometrics::tls::Context;

TEST_CASE("A server knows by its certificate what it is called") {
  const Authority authority;
  const PemFiles files = authority.issue({{"Klepto.Example", "*.fleet.example"}, {"10.0.0.1", "2001:db8::1"}, -1, 2});
  std::string error;
  const auto context = Context::server(files.certificate, files.key, &error);
  REQUIRE(context != nullptr);
  CHECK(context->names() == std::vector<std::string>{"klepto.example", "*.fleet.example", "10.0.0.1", "[2001:db8::1]"});
  const PemFiles bare = authority.issue({{}, {}, -1, 2}, "bare");
  CHECK(Context::server(bare.certificate, bare.key, &error)->names() ==
        std::vector<std::string>{"a certificate of a test"});
}

TEST_CASE("A client without a file trusts the system, and one with a file that is none says so") {
  std::string error;
  CHECK(Context::client("", &error) != nullptr);
  CHECK(Context::client("/nowhere/ca.pem", &error) == nullptr);
  CHECK(error.find("/nowhere/ca.pem") != std::string::npos);
  const Authority authority;
  CHECK(Context::client(authority.ca_file(), &error) != nullptr);
  std::ofstream(authority.ca_file()) << "nonsense";
  CHECK(Context::client(authority.ca_file(), &error) == nullptr);
}
