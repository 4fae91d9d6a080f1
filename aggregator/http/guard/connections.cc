#include "aggregator/http/guard/connections.h"

#include <algorithm>
#include <utility>

namespace kleptometrics::aggregator::http::guard {

Connection& Connections::add(std::unique_ptr<Connection> connection) {
  connection->index = open_.size();
  open_.push_back(std::move(connection));
  return *open_.back();
}

void Connections::close(Connection& connection) {
  set_expendable(connection, false);
  connection.tls.reset();
  connection.fd.reset();
  connection.state = State::kClosed;
  connection.reader.reset();
  std::string().swap(connection.out);
  connection.out_charge.resize(0);
  const std::size_t index = connection.index;
  std::swap(open_[index], open_.back());
  open_[index]->index = index;
  closed_.push_back(std::move(open_.back()));
  open_.pop_back();
}

void Connections::set_expendable(Connection& connection, bool expendable) {
  if (connection.expendable == expendable) return;
  connection.expendable = expendable;
  if (expendable) {
    connection.expendable_position = expendable_.insert(expendable_.end(), &connection);
  } else {
    expendable_.erase(connection.expendable_position);
  }
}

void Connections::set_deadline(Connection& connection, Nanos deadline) {
  connection.deadline = deadline;
  next_deadline_ = std::min(next_deadline_, deadline);
}

std::vector<Connection*> Connections::due(Nanos now) {
  std::vector<Connection*> out;
  next_deadline_ = kNever;
  for (const auto& connection : open_) {
    if (connection->deadline <= now) {
      out.push_back(connection.get());
    } else {
      next_deadline_ = std::min(next_deadline_, connection->deadline);
    }
  }
  return out;
}

std::vector<Connection*> Connections::all() const {
  std::vector<Connection*> out;
  out.reserve(open_.size());
  for (const auto& connection : open_) out.push_back(connection.get());
  return out;
}

}  // namespace kleptometrics::aggregator::http::guard
