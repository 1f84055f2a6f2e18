--- Variables of a connection over time, as rows, CSV or JSON lines.
--
--     local samples = conn:sample { every = 0.01, fields = { "cwnd", "srtt" } }
--     net:run()
--     samples:csv "run.csv"
--
-- @module lunatcp.samples

local check = require "lunatcp.check"
local files = require "lunatcp.files"

local M = {}

local Samples = {}
Samples.__index = Samples
Samples.__name = "lunatcp.samples"

--- What is sampled when nothing else is asked for.
M.FIELDS = {
  "state", "cwnd", "ssthresh", "pipe", "snd_una", "snd_nxt", "snd_wnd", "rcv_nxt", "rcv_wnd", "srtt",
  "rttvar", "rto", "segments_retransmitted",
}

local function known_fields(conn)
  local info = conn:info()
  local known = {}
  if info then
    for key in pairs(info) do known[#known + 1] = key end -- sorted below
  end
  table.move(M.FIELDS, 1, #M.FIELDS, #known + 1, known)
  table.move({ "retransmission_deadline", "persist_deadline", "delayed_ack_deadline", "min_rtt",
    "keepalive_deadline", "time_wait_deadline", "latest_rtt", "error", "code", "pacing_rate" }, 1, 10,
    #known + 1, known)
  table.sort(known)
  local unique = {}
  for _, name in ipairs(known) do
    if unique[#unique] ~= name then unique[#unique + 1] = name end
  end
  return unique
end

--- Begins to sample, at once and then every so many seconds, until the connection is CLOSED or the
-- samples are closed. By itself it keeps no run going.
-- @tparam Network net
-- @tparam Connection conn
-- @tparam[opt] table options `every` (seconds, 0.1), `fields` (names as in `conn:info()`)
function M.new(net, conn, options)
  check.object(conn, "lunatcp.connection", "sample: connection")
  options = check.options(options, { "every", "fields" }, "sample: options")
  local every = options.every == nil and 0.1 or check.number(options.every, "sample: every", 1e-9)
  local fields = options.fields or M.FIELDS
  check.type(fields, "table", "sample: fields")
  local known = known_fields(conn)
  for i, name in ipairs(fields) do check.one_of(name, known, ("sample: fields[%d]"):format(i)) end
  local samples = setmetatable({
    net = net, conn = conn, every = every, fields = table.move(fields, 1, #fields, 1, {}), rows = {},
    start = net:now(), taken = 0, due = net:now(),
  }, Samples)
  net.tickers[#net.tickers + 1] = samples
  samples.last = conn:on("closed", function() samples:take() end)
  samples:take()
  return samples
end

function Samples:__tostring() return ("samples of %s (%d rows)"):format(self.conn, #self.rows) end

--- Takes one sample now.
function Samples:take()
  local info = self.conn:info()
  if info then
    local row = { time = self.net:now() }
    for _, name in ipairs(self.fields) do row[name] = info[name] end
    self.rows[#self.rows + 1] = row
  end
  self.taken = self.taken + 1
  self.due = self.start + self.taken * self.every
  if not info or info.state == "CLOSED" then self:close() end
end

--- Ends sampling; the rows stay.
function Samples:close()
  if self.last then self.last:close() end
  for i, other in ipairs(self.net.tickers) do
    if other == self then
      table.remove(self.net.tickers, i)
      return
    end
  end
end

Samples.__close = function(self) self:close() end

local function number_text(value)
  if math.type(value) == "integer" then return tostring(value) end
  return (("%.9f"):format(value):gsub("0+$", ""):gsub("%.$", ".0"))
end

local function csv_cell(value)
  if value == nil then return "" end
  if type(value) == "number" then return number_text(value) end
  local text = tostring(value)
  if text:find '[",\n]' then text = '"' .. text:gsub('"', '""') .. '"' end
  return text
end

local ESCAPES <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function json_value(value)
  if value == nil then return "null" end
  if type(value) == "number" then return number_text(value) end
  if type(value) == "boolean" then return tostring(value) end
  local text = tostring(value):gsub('[%c"\\]', function(c)
    return ESCAPES[c] or ("\\u%04x"):format(c:byte())
  end)
  return '"' .. text .. '"'
end

-- Gives the text, or writes it to a file.
local function deliver(text, path)
  if path == nil then return text end
  return files.write(check.type(path, "string", "path"), text)
end

--- The rows as CSV, with a line of names.
-- @string[opt] path a file to write instead
-- @treturn string or true, or nil, message, code
function Samples:csv(path)
  local lines = { "time," .. table.concat(self.fields, ",") }
  for _, row in ipairs(self.rows) do
    local cells = { csv_cell(row.time) }
    for i, name in ipairs(self.fields) do cells[i + 1] = csv_cell(row[name]) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  return deliver(table.concat(lines, "\n") .. "\n", path)
end

--- The rows as JSON, one object a line.
-- @string[opt] path a file to write instead
-- @treturn string or true, or nil, message, code
function Samples:jsonl(path)
  local lines = {}
  for _, row in ipairs(self.rows) do
    local cells = { '"time":' .. json_value(row.time) }
    for i, name in ipairs(self.fields) do
      cells[i + 1] = ("%s:%s"):format(json_value(name), json_value(row[name]))
    end
    lines[#lines + 1] = "{" .. table.concat(cells, ",") .. "}"
  end
  return deliver(#lines > 0 and table.concat(lines, "\n") .. "\n" or "", path)
end

return M
