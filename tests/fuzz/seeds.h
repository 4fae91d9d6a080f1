// The seeds of the corpus, by the name of their file: inputs that reach deep into the readers, made by the very writers
// whose output is read in life. make_corpus.cc writes them down; corpus_test.cc asks whether those that were written
// down are still understood. The same bytes every time, on every machine.
#pragma once

#include <map>
#include <string>

namespace kleptometrics::fuzz {

// Those whose names begin so hold nothing but what a reader shall take without a complaint.
inline constexpr const char* kWholePrefix = "whole-";

std::map<std::string, std::string> cron_seeds();
std::map<std::string, std::string> journal_seeds();
std::map<std::string, std::string> keys_seeds();
std::map<std::string, std::string> push_seeds();
std::map<std::string, std::string> sketch_seeds();
std::map<std::string, std::string> rollup_seeds();

}  // namespace kleptometrics::fuzz
