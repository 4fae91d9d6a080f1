#include "aggregator/store/redis/scripts.h"

#include "aggregator/store/redis/sha1.h"

namespace kleptometrics::aggregator::redis {
namespace {

// Moments are merged as in stats::Moments.
constexpr const char* kChangeText = R"(
local key, at = KEYS[1], 1
local function length() at = at + 1 return tonumber(ARGV[at - 1]) end
local function pair() at = at + 2 return ARGV[at - 2], ARGV[at - 1] end
local most = 1.7976931348623157e308
local function within(x) return math.max(-most, math.min(most, x)) end
local counts = {}
for _ = 1, length() do
  local outcome, n = pair()
  local mean, spread = pair()
  n, mean, spread = tonumber(n), tonumber(mean), tonumber(spread)
  local have = counts[outcome] or tonumber(redis.call('HGET', key, outcome .. 'n') or '0')
  local old = redis.call('HGET', key, outcome .. 'm')
  local our, dev = 0, 0
  if old then
    our, dev = string.match(old, '^(%S+) (%S+)$')
    our, dev = tonumber(our), tonumber(dev)
  end
  local all = have + n
  if all <= 0 then
    our, dev = 0, 0
  elseif n < 0 then
    local before = our + (our - mean) / all
    dev = math.max(dev - (mean - our) * (mean - before), 0)
    our = within(before)
  elseif have <= 0 then
    our, dev = mean, spread
  else
    local apart = mean - our
    dev = within(dev + spread + apart * apart * (have * n / all))
    if apart > most or apart < -most then
      our = our * (have / all) + mean * (n / all)
    else
      our = our + apart * (n / all)
    end
  end
  counts[outcome] = all
  if all <= 0 then
    redis.call('HDEL', key, outcome .. 'm')
  else
    redis.call('HSET', key, outcome .. 'm', string.format('%.17g %.17g', our, dev))
  end
end
for _ = 1, length() do
  local field, by = pair()
  if redis.call('HINCRBY', key, field, by) == 0 then redis.call('HDEL', key, field) end
end
for _ = 1, length() do
  local field, value = pair()
  if value == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
end
for _ = 1, length() do
  local field, value = pair()
  local old = redis.call('HGET', key, field)
  if not old or value < old then redis.call('HSET', key, field, value) end
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

const Script kChange{kChangeText, true, Sha1::hex(kChangeText)};
const Script kPage{kPageText, false, Sha1::hex(kPageText)};
const Script kHead{kHeadText, false, Sha1::hex(kHeadText)};
const Script kSummary{kSummaryText, false, Sha1::hex(kSummaryText)};
const Script kHold{kHoldText, false, Sha1::hex(kHoldText)};
const Script kFindings{kFindingsText, false, Sha1::hex(kFindingsText)};

}  // namespace kleptometrics::aggregator::redis
