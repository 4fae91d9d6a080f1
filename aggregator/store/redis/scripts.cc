#include "aggregator/store/redis/scripts.h"

#include "aggregator/store/redis/sha1.h"

namespace kleptometrics::aggregator::redis {
namespace {

// The server passes at most some 8,000 values to a command from here. Moments are merged as in stats::Moments. Counts
// stay below 2^53; sums are added part by part of 32 bits, and what is beyond carried on: of doubles nothing is lost
// so.
constexpr const char* kTransactionText = R"(
local ARGV, call, tonumber = ARGV, redis.call, tonumber
local at, most_words = 1, 4000
local function length() at = at + 1 return tonumber(ARGV[at - 1]) end
local n = length()
for from = 0, n - 1, most_words do
  local many = math.min(n - from, most_words)
  local values = call('MGET', unpack(ARGV, at + from, at + from + many - 1))
  for i = 1, many do
    if (values[i] or '') ~= ARGV[at + n + from + i - 1] then return 0 end
  end
end
at = at + 2 * n
for _ = 1, length() do
  if (call('HGET', ARGV[at], ARGV[at + 1]) or '') ~= ARGV[at + 2] then return 0 end
  at = at + 3
end
for _ = 1, length() do
  local fixed, words = length(), length()
  if words <= most_words then
    call(unpack(ARGV, at, at + words - 1))
  else
    for from = at + fixed, at + words - 1, most_words do
      local command = {unpack(ARGV, at, at + fixed - 1)}
      for i = from, math.min(from + most_words, at + words) - 1 do command[#command + 1] = ARGV[i] end
      call(unpack(command))
    end
  end
  at = at + words
end
local most = 1.7976931348623157e308
local function within(x) return math.max(-most, math.min(most, x)) end
local function merge(have, old, n, mean, spread)
  local our, dev = 0, 0
  if old then
    our, dev = string.match(old, '^(%S+) (%S+)$')
    our, dev = tonumber(our), tonumber(dev)
  end
  local all = have + n
  if all <= 0 then return 0, 0 end
  if n < 0 then
    local before = our + (our - mean) / all
    return within(before), math.max(dev - (mean - our) * (mean - before), 0)
  end
  if have <= 0 then return mean, spread end
  local apart = mean - our
  dev = within(dev + spread + apart * apart * (have * n / all))
  if apart > most or apart < -most then return our * (have / all) + mean * (n / all), dev end
  return our + apart * (n / all), dev
end
local function in_slices(command, key, words, answers)
  for from = 1, #words, most_words do
    local some = call(command, key, unpack(words, from, math.min(from + most_words - 1, #words)))
    if answers then
      for i = 1, #some do answers[from + i - 1] = some[i] end
    end
  end
end
local part, parts = 4294967296, {}
for outcome = 0, 3 do
  local names = {}
  for i = 0, 3 do names[i + 1] = outcome .. 's' .. i end
  for i = 0, 5 do names[i + 5] = outcome .. 'q' .. i end
  parts[tostring(outcome)] = names
end
for _ = 1, length() do
  local key, names, values, out, gone = ARGV[at], {}, {}, {}, {}
  at = at + 1
  local moments, from_moments = length(), at
  at = at + 4 * moments
  local counts, from_counts = length(), at
  at = at + 2 * counts
  local sums, from_sums = length(), at
  at = at + 11 * sums
  local sets, from_sets = length(), at
  at = at + 2 * sets
  local least, from_least = length(), at
  at = at + 2 * least
  for i = 0, moments - 1 do
    local outcome = ARGV[from_moments + 4 * i]
    names[#names + 1] = outcome .. 'n'
    names[#names + 1] = outcome .. 'm'
  end
  for i = 0, counts - 1 do names[#names + 1] = ARGV[from_counts + 2 * i] end
  for i = 0, sums - 1 do
    local its = parts[ARGV[from_sums + 11 * i]]
    for k = 1, 10 do names[#names + 1] = its[k] end
  end
  for i = 0, least - 1 do names[#names + 1] = ARGV[from_least + 2 * i] end
  in_slices('HMGET', key, names, values)
  local function put(field, value)
    out[#out + 1] = field
    out[#out + 1] = value
  end
  local seen, known = 0, {}
  for i = 0, moments - 1 do
    local word = from_moments + 4 * i
    local outcome, n = ARGV[word], tonumber(ARGV[word + 1])
    local is = known[outcome]
    if not is then
      is = {have = tonumber(values[seen + 1] or '0'), text = values[seen + 2]}
      known[outcome] = is
    end
    seen = seen + 2
    local mean, dev = merge(is.have, is.text, n, tonumber(ARGV[word + 2]), tonumber(ARGV[word + 3]))
    is.have = is.have + n
    is.text = string.format('%.17g %.17g', mean, dev)
  end
  for outcome, is in pairs(known) do
    if is.have > 0 then put(outcome .. 'm', is.text) else gone[#gone + 1] = outcome .. 'm' end
  end
  for i = 0, counts - 1 do
    local field = names[seen + 1]
    local count = tonumber(values[seen + 1] or '0') + tonumber(ARGV[from_counts + 2 * i + 1])
    seen = seen + 1
    if count == 0 then gone[#gone + 1] = field else put(field, count) end
  end
  for i = 0, sums - 1 do
    local carry = 0
    for k = 1, 10 do
      if k == 5 then carry = 0 end
      local old = tonumber(values[seen + k] or '0')
      local whole = old + tonumber(ARGV[from_sums + 11 * i + k]) + carry
      carry = math.floor(whole / part)
      local new = whole - carry * part
      if new ~= old then put(names[seen + k], new) end
    end
    seen = seen + 10
  end
  for i = 0, sets - 1 do
    local field, value = ARGV[from_sets + 2 * i], ARGV[from_sets + 2 * i + 1]
    if value == '' then gone[#gone + 1] = field else put(field, value) end
  end
  for i = 0, least - 1 do
    local old, value = values[seen + 1], ARGV[from_least + 2 * i + 1]
    if not old or value < old then put(names[seen + 1], value) end
    seen = seen + 1
  end
  in_slices('HSET', key, out)
  in_slices('HDEL', key, gone)
end
return 1
)";

constexpr const char* kPageText = R"(
local members = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local states, prefix, job = ARGV[4], ARGV[5], ARGV[6]
local out = {#members, members[#members] or ''}
for _, member in ipairs(members) do
  local its = job ~= '' and job or string.sub(member, 25)
  local record = redis.call('HGET', prefix .. '{' .. its .. '}:runs', string.sub(member, 9, 24))
  if record and (states == '' or string.find(states, string.sub(record, 1, 1), 1, true)) then
    out[#out + 1] = record
  end
end
return out
)";

constexpr const char* kHeadText = R"(
local p = ARGV[1]
local newest, verdict, from, many = '', '', '+', 1
while verdict == '' do
  local members = redis.call('ZREVRANGEBYLEX', p .. 'starts', from, '-', 'LIMIT', 0, many)
  for _, member in ipairs(members) do
    local record = redis.call('HGET', p .. 'runs', string.sub(member, 9, 24))
    if record then
      if newest == '' then newest = record end
      local state = string.sub(record, 1, 1)
      if state == '2' or state == '3' or state == '5' then
        verdict = state
        break
      end
    end
  end
  if #members < many then break end
  from = '(' .. members[#members]
  many = 50
end
return {redis.call('HGET', p .. 'facts', 'spec') or '', newest, verdict, redis.call('ZCARD', p .. 'open')}
)";

constexpr const char* kSummaryText = R"(
local p, series = ARGV[1], ARGV[2]
local out = {}
local function piece(kind, number)
  local durations = redis.call('HGETALL', p .. kind .. ':' .. number .. ':duration')
  if #durations == 0 then return end
  local values = {}
  if series ~= '' then values = redis.call('HGETALL', p .. kind .. ':' .. number .. ':' .. series) end
  out[#out + 1] = {kind, number, durations, values}
end
local sets = {h = 'hours', d = 'days'}
for at = 3, #ARGV, 4 do
  local kind, from, to = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if kind == 'a' then
    piece('a', '0')
  elseif kind == 'r' then
    local found = {'r'}
    for _, member in ipairs(redis.call('ZRANGEBYLEX', p .. 'starts', from, to)) do
      local record = redis.call('HGET', p .. 'runs', string.sub(member, 9, 24))
      if record and string.sub(record, 1, 1) ~= '1' then found[#found + 1] = record end
    end
    out[#out + 1] = found
  else
    for _, number in ipairs(redis.call('ZRANGEBYSCORE', p .. sets[kind], from, to)) do piece(kind, number) end
  end
end
return out
)";

constexpr const char* kHoldText = R"(
local has = redis.call('GET', KEYS[1])
if has and has ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)";

constexpr const char* kFindingsText = R"(
local p, set, from, to, many, closings = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local known = tonumber(redis.call('GET', p .. ':closings') or '0')
local places = redis.call('ZREVRANGEBYLEX', p .. ':' .. set, from, to, 'LIMIT', 0, many)
local out = {known, #places, places[#places] or '', 0}
for _, place in ipairs(places) do
  local value = redis.call('HGET', p, string.sub(place, 9, 24))
  if value then out[#out + 1] = value end
end
out[4] = #out - 4
if closings ~= '' then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. ':closing', '(' .. closings, '+inf')) do
    local value = redis.call('HGET', p, id)
    if value then out[#out + 1] = value end
  end
end
return out
)";

}  // namespace

const Script kTransaction{kTransactionText, Sha1::hex(kTransactionText)};
const Script kPage{kPageText, Sha1::hex(kPageText)};
const Script kHead{kHeadText, Sha1::hex(kHeadText)};
const Script kSummary{kSummaryText, Sha1::hex(kSummaryText)};
const Script kHold{kHoldText, Sha1::hex(kHoldText)};
const Script kFindings{kFindingsText, Sha1::hex(kFindingsText)};

}  // namespace kleptometrics::aggregator::redis
