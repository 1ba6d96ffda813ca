/** Pauses, as `src/fleet/store/pause.ts` has them: records of 88 bytes, the last changed last: the key, then the end, the length and when it changed. */
export const PAUSES = `
local function beginPauses(now)
  begin(now)
  s.epoch = q.epoch ~= 0 and q.epoch or q.nonce
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
    call('publish', channel, 'pause ' .. text(s.epoch) .. ' ' .. table.concat(changed, ' '))
  end
  s.expireAt = max(now + 60000, s.till)
  local reply = {text(now), text(stretchNow()), text(s.known), text(s.epoch)}
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
end`;
