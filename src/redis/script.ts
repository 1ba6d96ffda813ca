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
  pause = {'reporter', 'nonce', 'tick', 'age', 'most'},
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
  'state', 'till', 'length', 'openings', 'forgetAt', 'lease', 'leaseUntil', 'probes', 'askedUntil', 'tokens', 'filledAt'}
local s = {}
local raw = call('hmget', KEYS[1], 'rule', unpack(fields))
for place, name in ipairs(fields) do s[name] = tonumber(raw[place + 1] or '') end
s.rule = raw[1]

if s.layout and tostring(s.layout) ~= layout then
  return redis.error_reply('UNDAUNTED the store keeps layout ' .. tostring(s.layout) .. ', this process knows ' .. layout)
end

local function text(number) return string.format('%.17g', number) end

-- ln(1 - x) has no digits left where every bit is set.
local function estimate(set, size)
  return floor(-size * math.log(1 - min(set, size - 0.5) / size) + 0.5)
end

local band, rshift = bit.band, bit.rshift
local function popcount(words)
  local count = 0
  for _, word in ipairs(words) do
    word = word - band(rshift(word, 1), 0x55555555)
    word = band(word, 0x33333333) + band(rshift(word, 2), 0x33333333)
    word = band(word + rshift(word, 4), 0x0f0f0f0f)
    word = word + rshift(word, 8)
    count = count + band(word + rshift(word, 16), 63)
  end
  return count
end

local function merge(words, bytes, from, count)
  for place = 1, count do
    local word = struct.unpack('>I4', bytes, from + (place - 1) * 4)
    words[place] = bit.bor(words[place] or 0, word)
  end
end

-- Processes by a bit each of 2048, in slots of time.
local function reporters(at, name, width, slots)
  local self = {}
  function self.add(reporter, now)
    local index = floor(now / width)
    local slot = index % slots
    if s[name .. slot] ~= index then
      s[name .. slot] = index
      call('setrange', at, slot * 256, string.rep('\\0', 256))
    end
    call('setbit', at, slot * 2048 + reporter % 2048, 1)
  end
  function self.count(now)
    local newest = floor(now / width)
    local words, any = {}, false
    for slot = 0, slots - 1 do
      local index = s[name .. slot]
      if index and index > newest - slots and index <= newest then
        local bytes = call('getrange', at, slot * 256, slot * 256 + 255)
        if #bytes == 256 then
          merge(words, bytes, 1, 64)
          any = true
        end
      end
    end
    if not any then return 0 end
    return estimate(popcount(words), 2048)
  end
  function self.clear()
    for slot = 0, slots - 1 do s[name .. slot] = -1 end
    call('del', at)
  end
  return self
end

local processes = reporters(KEYS[5], 'known', 10000, 4)
local votes = reporters(KEYS[6], 'votes', 1000, 3)

local function decay(passed, span) return floor(math.exp(-passed / span) * 1e9 + 0.5) / 1e9 end

local function addRate(count, now)
  local left = decay(max(0, now - s.at), 15000)
  s.at = now
  s.sum = s.sum * left + count / 15
  s.weight = s.weight * left + (1 - left)
end
local function perSecond() return s.sum / max(s.weight, 1 - decay(1000, 15000)) end

local function contains(bytes, what)
  local from = 1
  while true do
    local found = string.find(bytes, what, from, true)
    if not found then return false end
    if found % 4 == 1 then return true end
    from = found + 1
  end
end

local again, late = false, false
local function meet(now)
  local index = floor(now / 1000)
  local slot = index % 2
  local nonce = struct.pack('>I4', q.nonce)
  if s['nonces' .. slot] ~= index then
    s['nonces' .. slot] = index
    call('del', KEYS[3 + slot])
  end
  for each = 0, 1 do
    local of = s['nonces' .. each]
    if of and of >= index - 1 and of <= index and not again then
      again = contains(call('get', KEYS[3 + each]) or '', nonce)
    end
  end
  call('append', KEYS[3 + slot], nonce)
  processes.add(q.reporter, now)
  local since = now - q.tick - q.age
  late = q.tick ~= 0 and (since > 1000 or since < -1000)
end

local function countKnown(now)
  s.knownAt = floor(now / 1000)
  s.known = max(1, processes.count(now))
  return s.known
end
local function refreshKnown(now)
  if s.knownAt ~= floor(now / 1000) then countKnown(now) end
end

local function countReport(now)
  local second = floor(now / 1000)
  if second ~= s.second then
    local wanted = s.stretch * (s.count / max(q.most * 0.9 - s.others, q.most / 4))
    if second - s.second > 1 then wanted = 1 end
    s.stretch = min(max(wanted, s.stretch / 2, 1), 1000)
    s.second = second
    s.count, s.others = 0, 0
  end
  s.count = s.count + 1
end
local function countOther() s.others = s.others + 1 end
local function stretchNow() return min(max(s.stretch, s.stretch * (s.count / q.most)), 1000) end

local function begin(now)
  call('del', unpack(KEYS))
  s = {layout = tonumber(layout), stretch = 1, known = 1, last = now, second = floor(now / 1000), count = 0, others = 0, knownAt = -1}
end

-- The breaker.

local function rule() return text(q.failureRate) .. ' ' .. text(q.slowRate) .. ' ' .. text(q.maxOpenFor) .. ' ' .. text(q.needed) end

local function become(state, length, now)
  s.generation = s.generation + 1
  s.state = state
  s.length = length
  s.till = now + length
  s.lease, s.leaseUntil, s.probes, s.askedUntil = 0, 0, 0, 0
  call('del', KEYS[2])
  votes.clear()
end

local function open(now)
  local openings = (now < s.forgetAt and s.openings or 0) + 1
  local normal = perSecond()
  local usual = normal > 0 and 100000 / normal or q.openFor
  local openFor = min(max(usual, 1000), q.openFor)
  local length = floor(min(max(openFor, s.askedUntil - now), q.maxOpenFor) + 0.5)
  become(1, length, now)
  s.openings = openings
end

local function exceeds(count, calls, rate)
  if rate > 1 then return false end
  return count >= min(calls, rate * calls + 3 * math.sqrt(calls * rate * (1 - rate)))
end

local function addSlice(bad, now)
  local index = floor(now / 100)
  local from = (index % 128) * 80
  local stamp = index % 4294967296
  local head = call('getrange', KEYS[2], from, from + 15)
  local calls, failures, slow = q.calls, q.failures, q.slow
  local known = #head == 16 and struct.unpack('>I4', head) == stamp
  if known then
    local _, c, f, l = struct.unpack('>I4I4I4I4', head)
    calls, failures, slow = calls + c, failures + f, slow + l
  end
  local most = 4294967295
  head = struct.pack('>I4I4I4I4', stamp, min(calls, most), min(failures, most), min(slow, most))
  if not known then head = head .. string.rep('\\0', 64) end
  call('setrange', KEYS[2], from, head)
  local place = q.reporter % 256
  call('setbit', KEYS[2], (from + 16) * 8 + place, 1)
  if bad then call('setbit', KEYS[2], (from + 48) * 8 + place, 1) end
end

local function isDown(now)
  local index = floor(now / 100)
  local ring = call('get', KEYS[2]) or ''
  local calls, failures, slow = 0, 0, 0
  local all, bad = {}, {}
  local least = 0.8 * min(20, s.known)
  for back = 0, 99 do
    local of = index - back
    local from = (of % 128) * 80 + 1
    if #ring >= from + 79 and struct.unpack('>I4', ring, from) == of % 4294967296 then
      local _, c, f, l = struct.unpack('>I4I4I4I4', ring, from)
      calls, failures, slow = calls + c, failures + f, slow + l
      merge(all, ring, from + 16, 8)
      merge(bad, ring, from + 48, 8)
    end
    if back >= 10 and calls >= 50 then
      local reported = estimate(popcount(all), 256)
      if reported >= least then
        if estimate(popcount(bad), 256) * 2 < reported then return false end
        return exceeds(failures, calls, q.failureRate) or exceeds(slow, calls, q.slowRate)
      end
    end
  end
  return false
end

local function countBreaker(now)
  addRate(q.calls, now)
  if q.calls > 0 then
    countReport(now)
    addSlice(q.failures >= q.failureRate * q.calls or q.slow >= q.slowRate * q.calls, now)
  end
  if q.retryAfter > 0 then s.askedUntil = max(s.askedUntil, now + q.retryAfter) end
  if q.vote == 1 then votes.add(q.reporter, now) end
  if q.failures == 0 and q.slow == 0 and q.vote == 0 then return false end
  local outvoted = q.vote == 1 and votes.count(now) * 2 > countKnown(now)
  if not outvoted and not isDown(now) then return false end
  open(now)
  return true
end

local function judge(now)
  s.lease, s.leaseUntil = 0, 0
  if q.ended == 1 then
    s.probes = s.probes + 1
    if s.probes < q.needed then return false end
    local length, openings = s.length, s.openings
    become(0, 0, now)
    s.openings = openings
    s.forgetAt = now + length
    return true
  end
  if q.ended == 2 then
    s.forgetAt = now + 1
    if q.retryAfter > 0 then s.askedUntil = now + q.retryAfter end
    open(now)
  end
  return false
end

local function claim(now)
  if q.claim ~= 1 then return 0 end
  if s.lease == q.nonce then return 1 end
  if s.lease ~= 0 and s.leaseUntil > now then return 0 end
  s.lease = q.nonce
  s.leaseUntil = now + 3000
  return 1
end

local function beginBreaker(now)
  begin(now)
  s.epoch, s.generation, s.state, s.till, s.length, s.openings = q.nonce, 1, 0, 0, 0, 0
  s.forgetAt, s.lease, s.leaseUntil, s.probes, s.askedUntil = 0, 0, 0, 0, 0
  s.rule, s.sum, s.weight, s.at = rule(), 0, 0, now
  if q.epoch ~= 0 then s.sum, s.weight = q.rate, 1 end
  if q.epoch ~= 0 and q.was ~= 0 then become(q.was, 1000, now) end
end

local function breaker(now)
  local back = s.last - now
  if back > 0 and back <= 1000 then
    now = s.last
  else
    if back > 0 then
      s.till, s.leaseUntil, s.forgetAt = s.till - back, s.leaseUntil - back, s.forgetAt - back
      s.askedUntil, s.at = s.askedUntil - back, now
    end
    s.last = now
  end
  meet(now)
  refreshKnown(now)
  if q.calls == 0 then countOther() end
  if q.epoch == s.epoch and q.generation > s.generation then
    become(q.was, q.was == 1 and 1000 or 0, now)
    s.generation = q.generation
  end
  local before, pushed, granted = s.generation, false, 0
  if q.hello == 1 and not again then s.rule = rule() end
  if q.command ~= 0 and not again then
    become(q.command == 1 and 2 or 0, 0, now)
    s.openings, s.forgetAt = 0, 0
    pushed = true
  end
  local current = q.epoch == s.epoch and q.generation == before and s.generation == before
  if s.state == 0 then
    if current and not again and not late then
      pushed = countBreaker(now) or pushed
    else
      addRate(0, now)
    end
  else
    s.at = now
  end
  if s.state == 1 then
    if current and q.probe ~= 0 and q.probe == s.lease then pushed = judge(now) or pushed end
    if s.state == 1 and s.till <= now then granted = claim(now) end
  end
  local left = s.state == 1 and max(0, s.till - now) or 0
  s.expireAt = now + (s.state == 2 and 86400000 or 60000 + left)
  local verdict = {text(s.epoch), text(s.generation), text(s.state), text(left), text(s.openings), text(perSecond())}
  if pushed then call('publish', channel, 'breaker ' .. table.concat(verdict, ' ') .. ' ' .. key) end
  local reply = {text(now), text(stretchNow()), text(s.known)}
  for _, each in ipairs(verdict) do reply[#reply + 1] = each end
  reply[#reply + 1] = text(granted)
  reply[#reply + 1] = s.rule == rule() and '0' or '1'
  return reply, now
end

-- Tokens.

local function beginTokens(now)
  begin(now)
  s.tokens, s.filledAt = kind == 'budget' and q.initial or q.burst, now
  s.sum, s.weight, s.at = 0, 0, now
end

local function tokens(now)
  now = max(now, s.last - now > 1000 and now or s.last)
  s.last = now
  meet(now)
  refreshKnown(now)
  local passed = max(0, now - s.filledAt)
  s.filledAt = now
  local stale = again or late
  if kind == 'budget' then
    if s.tokens > q.floor then
      s.tokens = q.floor + (s.tokens - q.floor) * decay(passed, q.fade)
    else
      s.tokens = min(q.floor, s.tokens + passed / q.every)
    end
    addRate(stale and 0 or q.successes, now)
    local most = max(q.capacity, q.capacitySeconds * perSecond())
    s.tokens = min(most, s.tokens + (stale and 0 or q.perSuccess * q.successes + q.refunds))
  else
    s.tokens = min(q.burst, s.tokens + (passed / 1000) * q.perSecond + (stale and 0 or q.refunds))
  end
  local granted = again and 0 or min(q.wanted, floor(s.tokens))
  s.tokens = s.tokens - granted
  if q.wanted == 0 then countReport(now) else countOther() end
  s.expireAt = now + 60000
  return {text(now), text(stretchNow()), text(s.known), text(granted), text(s.tokens)}, now
end

-- Pauses: records of 88 bytes, the last changed last: the key, then the end, the length and when it changed.

local function beginPauses(now)
  begin(now)
  s.till = 0
end

local function unpackPause(bytes, from) return struct.unpack('>c64ddd', bytes, from) end

local function findPause(bytes, key)
  local from = 1
  while true do
    local found = string.find(bytes, key, from, true)
    if not found or found % 88 == 1 then return found end
    from = found + 1
  end
end

local function forgetPauses(bytes, now)
  local left = {}
  for from = 1, #bytes, 88 do
    local _, till = unpackPause(bytes, from)
    if till > now then left[#left + 1] = string.sub(bytes, from, from + 87) end
  end
  return table.concat(left, '', max(1, #left - 999))
end

local function shiftPauses(bytes, back)
  local moved = {}
  for from = 1, #bytes, 88 do
    local paused, till, length, at = unpackPause(bytes, from)
    moved[#moved + 1] = struct.pack('>c64ddd', paused, till - back, length, at - back)
  end
  return table.concat(moved)
end

local function keepPauses(bytes)
  call('del', KEYS[2])
  if #bytes > 0 then call('append', KEYS[2], bytes) end
end

local function pauses(now)
  local bytes = call('get', KEYS[2]) or ''
  local back = s.last - now
  if back > 0 and back <= 1000 then
    now = s.last
  else
    if back > 0 then
      bytes = shiftPauses(bytes, back)
      keepPauses(bytes)
      s.till = s.till - back
    end
    s.last = now
  end
  meet(now)
  refreshKnown(now)
  countReport(now)
  local changed = {}
  for place = 6 + #names.pause, (again or late) and 0 or #ARGV, 2 do
    local paused, ms = ARGV[place], min(tonumber(ARGV[place + 1]), 86400000)
    local found = findPause(bytes, paused)
    local till = found and select(2, unpackPause(bytes, found)) or 0
    if ms > 0 and now + ms > till + min(1000, floor(ms / 20)) then
      if found then bytes = string.sub(bytes, 1, found - 1) .. string.sub(bytes, found + 88) end
      bytes = bytes .. struct.pack('>c64ddd', paused, now + ms, ms, now)
      s.till = max(s.till, now + ms)
      changed[#changed + 1] = paused .. ' ' .. text(ms) .. ' ' .. text(ms)
    end
  end
  if #changed > 0 then
    bytes = forgetPauses(bytes, now)
    keepPauses(bytes)
    call('publish', channel, 'pause ' .. table.concat(changed, ' '))
  end
  s.expireAt = max(now + 60000, s.till)
  local reply = {text(now), text(stretchNow()), text(s.known)}
  local since = q.tick > now and 0 or q.tick
  for from = #bytes - 87, 1, -88 do
    local paused, till, length, at = unpackPause(bytes, from)
    if at < since then break end
    if till > now then
      reply[#reply + 1] = paused
      reply[#reply + 1] = text(till - now)
      reply[#reply + 1] = text(length)
    end
  end
  return reply, now
end

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
