import { BREAKER } from "./breaker.js";
import { KEPT } from "./kept.js";
import { PAUSES } from "./pauses.js";
import { TOKENS } from "./tokens.js";

// What the store of a fleet does with one exchange, step by step as `src/fleet/store` does it, which says why.
//
// KEYS: the state (a hash), the ring of slices (128 of 80 bytes: index, calls, failures, slow, then a bit for each process
// that reported and for each whose report was bad) or the pauses, two slots of nonces, the processes known (4 slots), the votes
// (3 slots).
// ARGV: the layout, the kind, the channel, the key, the time in ms or nothing for Redis' own, then the request's numbers, then, of
// pauses, the key and the ms of each that is asked for.
// Replies with numbers as strings: a double goes through Lua unharmed only so.

export const SCRIPT = `
local layout, kind, channel, key = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local call, floor, max, min = redis.call, math.floor, math.max, math.min
local time
if ARGV[5] ~= '' then
  time = tonumber(ARGV[5])
else
  local parts = call('time')
  time = tonumber(parts[1]) * 1000 + floor(tonumber(parts[2]) / 1000)
end

local names = {
  breaker = {'reporter', 'nonce', 'tick', 'age', 'most', 'failureRate', 'slowRate', 'openFor', 'maxOpenFor', 'needed',
    'epoch', 'generation', 'was', 'rate', 'calls', 'failures', 'slow', 'retryAfter', 'vote', 'claim', 'probe', 'ended',
    'command', 'hello'},
  budget = {'reporter', 'nonce', 'tick', 'age', 'most', 'successes', 'refunds', 'wanted', 'capacity', 'initial',
    'perSuccess', 'fade', 'every', 'floor', 'capacitySeconds'},
  limit = {'reporter', 'nonce', 'tick', 'age', 'most', 'refunds', 'wanted', 'perSecond', 'burst'},
  pause = {'reporter', 'nonce', 'tick', 'age', 'most', 'epoch'},
}
local q = {}
for place, name in ipairs(names[kind]) do
  q[name] = tonumber(ARGV[5 + place])
  if not q[name] or q[name] ~= q[name] then return redis.error_reply('UNDAUNTED no number: ' .. name) end
end
if kind == 'pause' then
  for place = 6 + #names.pause, #ARGV, 2 do
    local ms = tonumber(ARGV[place + 1] or '')
    if #ARGV[place] ~= 64 or not ms or ms ~= ms then return redis.error_reply('UNDAUNTED no pause: ' .. ARGV[place]) end
  end
end

local fields = {'layout', 'expireAt', 'stretch', 'known', 'last', 'second', 'count', 'others', 'knownAt', 'nonces0', 'nonces1',
  'known0', 'known1', 'known2', 'known3', 'votes0', 'votes1', 'votes2', 'sum', 'weight', 'at', 'epoch', 'generation',
  'state', 'till', 'length', 'openings', 'forgetAt', 'lease', 'leaseUntil', 'probes', 'askedUntil', 'hand', 'past', 'pastGeneration', 'tokens', 'filledAt'}
local s = {}
local raw = call('hmget', KEYS[1], 'rule', unpack(fields))
for place, name in ipairs(fields) do s[name] = tonumber(raw[place + 1] or '') end
s.rule = raw[1]

if s.layout and tostring(s.layout) ~= layout then
  return redis.error_reply('UNDAUNTED the store keeps layout ' .. tostring(s.layout) .. ', this process knows ' .. layout)
end
${KEPT}
${BREAKER}
${TOKENS}
${PAUSES}

if not s.layout or s.expireAt <= time then
  if kind == 'breaker' then beginBreaker(time) elseif kind == 'pause' then beginPauses(time) else beginTokens(time) end
end
local reply, now
if kind == 'breaker' then reply, now = breaker(time) elseif kind == 'pause' then reply, now = pauses(time) else reply, now = tokens(time) end

local kept = {}
for _, name in ipairs(fields) do
  if s[name] then
    kept[#kept + 1] = name
    kept[#kept + 1] = text(s[name])
  end
end
if s.rule then
  kept[#kept + 1] = 'rule'
  kept[#kept + 1] = s.rule
end
call('hset', KEYS[1], unpack(kept))
local ttl = math.ceil(s.expireAt - now)
for _, each in ipairs(KEYS) do call('pexpire', each, ttl) end
return reply`;
