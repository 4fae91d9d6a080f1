#include <map>
#include <string>

#include "aggregator/keys/key_ring.h"
#include "tests/fuzz/seeds.h"

namespace kleptometrics::fuzz {
namespace {

using aggregator::keys::hash_of;
using aggregator::keys::line_of;
using aggregator::keys::Scope;

std::string key_of(char digit) { return "klepto_" + std::string(64, digit); }
std::string line(const std::string& name, Scope scope, char digit) {
  return line_of({name, scope, hash_of(key_of(digit))}) + "\n";
}

}  // namespace

std::map<std::string, std::string> keys_seeds() {
  const std::string three = "# who may\n\n" + line("nightly", Scope::kWrite, 'a') +
                            line("grafana.eu-1", Scope::kRead, 'b') + line("ops", Scope::kAdmin, 'c');
  return {{"whole-known", "Bearer " + key_of('a') + "\n" + three},
          {"whole-any-case", "bEARER\t" + key_of('c') + " \n" + three},
          {"whole-unknown", "Bearer " + key_of('d') + "\n" + three},
          {"whole-other-scheme", "Basic " + key_of('a') + "\n" + three},
          {"whole-empty", "\n" + three},
          {"refused-twice", "Bearer x\n" + three + line("more", Scope::kRead, 'a')},
          {"refused-bare-key", "Bearer x\nops admin " + key_of('a') + "\n"},
          {"refused-empty-key", "Bearer \nops admin e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}};
}

}  // namespace kleptometrics::fuzz
