/** A budget or a rate limit, as `src/fleet/store/tokens.ts` has it. */
export const TOKENS = `
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
end`;
