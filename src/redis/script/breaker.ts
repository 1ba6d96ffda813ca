/** A breaker, as `src/fleet/store/breaker.ts` and `slices.ts` have it. */
export const BREAKER = `
local function rule() return text(q.failureRate) .. ' ' .. text(q.slowRate) .. ' ' .. text(q.maxOpenFor) .. ' ' .. text(q.needed) end

local function become(state, length, now)
  if state == 2 or s.state == 2 then s.hand = max(s.hand, 1) end
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

local function carry(now)
  if again or q.epoch == 0 or q.epoch == s.epoch or s.hand == 2 or q.age > 86400000 then return false end
  local isKnown, isIsolated = q.epoch == s.past, q.was == 2
  if isKnown and q.generation <= s.pastGeneration then return false end
  if isKnown or isIsolated or s.past == 0 then s.past, s.pastGeneration = q.epoch, q.generation end
  if isIsolated == (s.state == 2) or not (isIsolated or isKnown) then return false end
  become(isIsolated and 2 or 0, 0, now)
  s.openings, s.forgetAt = 0, 0
  return true
end

local function beginBreaker(now)
  begin(now)
  s.epoch, s.generation, s.state, s.till, s.length, s.openings = q.nonce, 1, 0, 0, 0, 0
  s.forgetAt, s.lease, s.leaseUntil, s.probes, s.askedUntil = 0, 0, 0, 0, 0
  s.hand, s.past, s.pastGeneration = 0, q.epoch, q.generation
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
  local pushed = carry(now)
  local before, granted = s.generation, 0
  if q.hello == 1 and not again then s.rule = rule() end
  if q.command ~= 0 and not again then
    become(q.command == 1 and 2 or 0, 0, now)
    s.hand, s.openings, s.forgetAt = 2, 0, 0
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
  s.expireAt = now + (s.hand == 0 and 60000 + left or 86400000)
  local verdict = {text(s.epoch), text(s.generation), text(s.state), text(left), text(s.openings), text(perSecond())}
  if pushed then call('publish', channel, 'breaker ' .. table.concat(verdict, ' ') .. ' ' .. key) end
  local reply = {text(now), text(stretchNow()), text(s.known)}
  for _, each in ipairs(verdict) do reply[#reply + 1] = each end
  reply[#reply + 1] = text(granted)
  reply[#reply + 1] = s.rule == rule() and '0' or '1'
  return reply, now
end`;
