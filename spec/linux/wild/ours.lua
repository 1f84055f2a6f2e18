-- Our end of a dialogue: writes, reads, and what it does at last, by the steps of its plan.
local M = {}

local PERIOD <const> = 65521
local FIRST_URGENT <const> = 128
local PATIENCE <const> = 20 -- seconds without an octet

local unit = {}
for i = 0, PERIOD - 1 do unit[i + 1] = string.char((i * i // 251 + i) & 127) end
local period = table.concat(unit)

--- Octets of the stream, as kernel_dialogue.c has them.
function M.octets(offset, count)
  local at = offset % PERIOD
  return (period:rep((at + count) // PERIOD + 1)):sub(at + 1, at + count)
end

-- ---- writing --------------------------------------------------------------------------------------

-- A step that writes; the code of what went wrong, or nil.
local function write(conn, end_, step)
  if step == "u" then
    local n, _, code = conn:urgent(string.char(FIRST_URGENT + end_.urgent % 128), { timeout = PATIENCE })
    if n then
      end_.urgent = end_.urgent + 1
      end_.marks[end_.urgent] = end_.wrote
    end
    return code
  end
  if type(step) == "table" then
    local done, message, code = conn:set { [step[1]] = step[2] }
    if not done and code ~= "EBADF" then end_.refused = message end -- it may be over
    return nil
  end
  if end_.queued then -- with the SYN
    end_.wrote, end_.queued = end_.wrote + end_.queued, nil
    return nil
  end
  local n, _, code, partial = conn:write(M.octets(end_.wrote, step), { timeout = PATIENCE })
  end_.wrote = end_.wrote + (n or partial or 0)
  return code
end

local ENDINGS = {
  shutdown = function(conn) return select(3, conn:shutdown()) end,
  abort = function(conn) conn:abort() end,
  close = function(conn) conn:close() end,
}

local function writer(net, conn, end_)
  for _, step in ipairs(end_.writes) do
    local code
    local pause = tostring(step):match "^p(%d+)$"
    if pause then
      net:sleep(pause / 1000)
    elseif ENDINGS[step] then
      end_.left = step ~= "shutdown"
      code = ENDINGS[step](conn)
      end_.finished = not code
    else
      code = write(conn, end_, step)
    end
    if code then
      end_.write_code = code
      return
    end
  end
end

-- ---- reading --------------------------------------------------------------------------------------

-- Takes the urgent octets out, and notes where they were.
local function take(end_, bytes)
  local plain = bytes:gsub("()([\x80-\xff])", function(at, octet)
    local before = select(2, bytes:sub(1, at - 1):gsub("[\0-\x7f]", ""))
    end_.heard[#end_.heard + 1] = { octet = octet:byte(), at = end_.read + before, inline = true }
    return ""
  end)
  if plain ~= M.octets(end_.read, #plain) and not end_.differs then end_.differs = end_.read end
  end_.read = end_.read + #plain
end

local function read_once(conn, end_, most)
  if end_.left then return false end
  local bytes, _, code = conn:read(most, { timeout = PATIENCE })
  if end_.left then return false end -- the writer has let go of the connection meanwhile
  if bytes then
    take(end_, bytes)
    return #bytes
  end
  if code then end_.read_code = code else end_.ended = true end
  return false
end

local function reader(net, conn, end_)
  for _, step in ipairs(end_.reads) do
    local pause = tostring(step):match "^p(%d+)$"
    if pause then net:sleep(pause / 1000) end
    local left = step == "eof" and math.huge or not pause and step or 0
    while left > 0 do
      local n = read_once(conn, end_, left == math.huge and 65536 or left)
      if not n then return end
      left = left - n
    end
  end
end

-- What is taken out of the stream.
local function hear(conn, end_)
  while not end_.left do
    local octet, _, code = conn:read_urgent { timeout = 1 }
    if octet then end_.heard[#end_.heard + 1] = { octet = octet:byte(), at = end_.read } end
    if not octet and code ~= "EAGAIN" or end_.over then return end
  end
end

--- Plays it to the end.
function M.play(net, conn, made)
  local end_ = made.ours
  end_.wrote, end_.urgent, end_.read, end_.marks, end_.heard = 0, 0, 0, {}, {}
  local writes = net:spawn("writer", writer, net, conn, end_)
  local reads = net:spawn("reader", reader, net, conn, end_)
  net:spawn("urgent", hear, conn, end_)
  reads:join()
  writes:join()
  end_.over = true
  end_.last = conn:info()
  if not end_.left then conn:close() end
end

return M
