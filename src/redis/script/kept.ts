/** What all that is kept has in common, as `src/fleet/store/common.ts` and `reporters.ts` have it. */
export const KEPT = `
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
end`;
