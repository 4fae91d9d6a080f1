#include "aggregator/wire/findings.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "kleptometrics/v1/store.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

std::string bytes_of(const Uuid& id) { return std::string(id.view()); }

// What both kinds of message have in common.
template <typename Finding, typename Message>
Message message_of(const Finding& finding) {
  Message out;
  out.set_id(bytes_of(finding.id));
  out.set_kind(static_cast<std::uint32_t>(finding.kind));
  out.set_job(finding.job);
  if (!finding.run_id.none()) out.set_run_id(bytes_of(finding.run_id));
  out.set_opened_at(finding.opened_at);
  if (finding.closed_at) out.set_closed_at(*finding.closed_at);
  if (finding.actual) out.set_actual(*finding.actual);
  return out;
}

// False if the message is not of a finding.
template <typename Finding, typename Message>
bool read(const Message& in, Finding& out) {
  const std::optional<Uuid> id = Uuid::from_bytes(in.id());
  const std::optional<Uuid> run = in.run_id().empty() ? Uuid{} : Uuid::from_bytes(in.run_id());
  if (!id || !run || in.kind() > 0xff) return false;
  out.id = *id;
  out.kind = static_cast<decltype(out.kind)>(in.kind());
  if (name_of(out.kind) == "unknown") return false;
  out.job = in.job();
  out.run_id = *run;
  out.opened_at = in.opened_at();
  if (in.has_closed_at()) out.closed_at = in.closed_at();
  if (in.has_actual()) out.actual = in.actual();
  return true;
}

absl::Status damaged(std::string_view what) {
  return absl::DataLossError(absl::StrCat("what is stored of ", absl_view(what), " is damaged"));
}

template <typename Message>
bool parse(std::string_view bytes, Message& in) {
  return in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string encode_delay(const Delay& delay) {
  auto out = message_of<Delay, v1::KeptDelay>(delay);
  if (delay.scheduled_at) out.set_scheduled_at(*delay.scheduled_at);
  out.set_expected(delay.expected);
  return out.SerializeAsString();
}

std::string encode_alert(const Alert& alert) {
  auto out = message_of<Alert, v1::KeptAlert>(alert);
  if (alert.acknowledged_at) out.set_acknowledged_at(*alert.acknowledged_at);
  out.set_message(alert.message);
  if (alert.expected) out.set_expected(*alert.expected);
  return out.SerializeAsString();
}

absl::StatusOr<Delay> decode_delay(std::string_view bytes) {
  v1::KeptDelay in;
  Delay out;
  if (!parse(bytes, in) || !read(in, out)) return damaged("a delay");
  if (in.has_scheduled_at()) out.scheduled_at = in.scheduled_at();
  out.expected = in.expected();
  return out;
}

absl::StatusOr<Alert> decode_alert(std::string_view bytes) {
  v1::KeptAlert in;
  Alert out;
  if (!parse(bytes, in) || !read(in, out)) return damaged("an alert");
  if (in.has_acknowledged_at()) out.acknowledged_at = in.acknowledged_at();
  out.message = in.message();
  if (in.has_expected()) out.expected = in.expected();
  return out;
}

}  // namespace kleptometrics::aggregator::wire
