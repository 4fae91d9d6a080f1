// The answers of the aggregator, from their messages (query.proto) to the structs of the public header. What was asked
// for but makes no sense, such as an index beyond the strings of a page, is refused: the answer is then no answer.
// Pure; any thread.
#pragma once

#include <string>

#include "kleptometrics/query.h"
#include "kleptometrics/v1/query.pb.h"

namespace kleptometrics::query {

// Each fills `out` and returns true, or returns false where the message cannot be what it should.
bool read(const v1::Stats& in, Stats* out);
bool read(const v1::RunPage& in, RunPage* out);
bool read(const v1::RunPage& in, Run* out);  // of exactly one run
bool read(const v1::Job& in, Job* out);
bool read(const v1::JobPage& in, JobPage* out);
bool read(const v1::History& in, History* out);
bool read(const v1::Profile& in, Profile* out);
bool read(const v1::Top& in, Top* out);
bool read(const v1::Comparison& in, Comparison* out);
bool read(const v1::RunComparison& in, RunComparison* out);
bool read(const v1::ChangePoints& in, Changes* out);
bool read(const v1::DelayPage& in, DelayPage* out);
bool read(const v1::AlertPage& in, AlertPage* out);
bool read(const v1::Problem& in, Error* out);

// Parses and reads a whole body; prints nothing about one that is no message.
template <typename Message, typename T>
bool read_body(const std::string& body, T* out);

}  // namespace kleptometrics::query
