--- The sequence diagram as text: lifelines, arrows, the states of both ends, at most 100 columns.
-- @module lunatcp.ladder

local M = {}

local GLYPHS <const> = {
  utf8 = { line = "─", right = "▶", left = "◀", life = "│", cross = "╳", transit = "┄", cut = "…" },
  ascii = { line = "-", right = ">", left = "<", life = "|", cross = "X", transit = ".", cut = "~" },
}
local NOTE_WORDS <const> = {
  retransmission = "retransmitted", duplicate = "duplicate", corrupted = "corrupted", delayed = "delayed",
  forged = "forged", ce_marked = "CE", probe = "probe",
}
local STATE_WIDTH <const> = 12 -- "SYN-RECEIVED", "ESTABLISHED"
local TIME_WIDTH <const> = 11

local function length(text) return utf8.len(text) or #text end

local function cut(text, width, mark)
  if length(text) <= width then return text end
  if width < 2 then return "" end
  return text:sub(1, utf8.offset(text, width) - 1) .. mark
end

local function pad(text, width)
  return text .. (" "):rep(width - length(text))
end

local function pad_left(text, width)
  return (" "):rep(width - length(text)) .. text
end

-- One output line as cells, so that pieces can be laid over lifelines.
local function canvas(width)
  local cells = {}
  for i = 1, width do cells[i] = " " end
  return cells
end

local function put(cells, x, text)
  for _, code in utf8.codes(text) do
    if x >= 1 and x <= #cells then cells[x] = utf8.char(code) end
    x = x + 1
  end
end

local function line_of(cells)
  return (table.concat(cells):gsub("%s+$", ""))
end

-- The words behind a label: what befell the packet.
local function fate_words(row)
  local words = {}
  for _, note in ipairs(row.notes) do words[#words + 1] = NOTE_WORDS[note] end
  if #words == 0 then return "" end
  return " [" .. table.concat(words, ", ") .. "]"
end
M.fate_words = fate_words

-- The label with its fate, cut to what is left between lifelines, and how long a line leads to it.
local function fit(label, fate, room, glyphs)
  local lead = length(label) + length(fate) + 8 <= room and 3 or 1
  return cut(label, room - 4 - lead - length(fate), glyphs.cut) .. fate, lead
end

-- `inner` characters between two lifelines, going right: "─── label ────▶".
local function arrow_right(row, inner, glyphs)
  local fate = fate_words(row)
  local tail = ""
  if row.dropped then tail = glyphs.cross .. " " .. row.dropped end
  local text, lead = fit(row.label, fate, inner - length(tail), glyphs)
  local head = (row.arrival and glyphs.transit or glyphs.line):rep(lead) .. " " .. text .. " "
  local rest = inner - length(head) - length(tail) - (row.dropped and 0 or 1)
  if row.dropped then
    local drawn = math.min(rest, 3)
    return head .. glyphs.line:rep(drawn) .. tail .. (" "):rep(rest - drawn)
  elseif row.crossed then
    local drawn = math.min(rest + 1, 3)
    return head .. glyphs.transit:rep(drawn) .. (" "):rep(rest + 1 - drawn)
  elseif not row.delivered then
    return head .. glyphs.transit:rep(math.max(rest + 1, 0))
  end
  return head .. glyphs.line:rep(rest) .. glyphs.right
end

local function arrow_left(row, inner, glyphs)
  local fate = fate_words(row)
  local tail = ""
  if row.dropped then tail = row.dropped .. " " .. glyphs.cross end
  local text, lead = fit(row.label, fate, inner - length(tail), glyphs)
  local head = " " .. text .. " " .. (row.arrival and glyphs.transit or glyphs.line):rep(lead)
  local rest = inner - length(head) - length(tail) - (row.dropped and 0 or 1)
  if row.dropped then
    local drawn = math.min(rest, 3)
    return (" "):rep(rest - drawn) .. tail .. glyphs.line:rep(drawn) .. head
  elseif row.crossed then
    local drawn = math.min(rest + 1, 3)
    return (" "):rep(rest + 1 - drawn) .. glyphs.transit:rep(drawn) .. head
  elseif not row.delivered then
    return glyphs.transit:rep(math.max(rest + 1, 0)) .. head
  end
  -- Words begin at the left in both directions: that reads best.
  local body = glyphs.left .. glyphs.line:rep(math.max(lead - 1, 1)) .. " " .. text .. " "
  local far = row.arrival and glyphs.transit or glyphs.line
  return body .. glyphs.line:rep(inner - length(body) - lead) .. far:rep(lead)
end

local function layout(columns, width)
  local first = TIME_WIDTH + 1 + STATE_WIDTH + 2
  local last = width - STATE_WIDTH - 1
  local x = {}
  for i = 1, #columns do
    x[i] = #columns == 1 and first or first + (last - first) * (i - 1) // (#columns - 1)
  end
  return x
end

local Drawing = {}
Drawing.__index = Drawing

-- Beside the outermost lifelines; at one in the middle, on the side where the arrow is not.
local function put_state(self, cells, column, state, other)
  if not state then return end
  if column > 1 and column < #self.columns and other and other > column then
    put(cells, self.x[column] - length(state) - 1, state)
  elseif column == 1 then
    put(cells, TIME_WIDTH + 2, pad_left(state, STATE_WIDTH))
  elseif column == #self.columns then
    put(cells, self.x[column] + 2, pad(state, STATE_WIDTH))
  else
    put(cells, self.x[column] + 2, state)
  end
end

local function begin_line(self, time)
  local cells = canvas(self.width)
  put(cells, 1, pad_left(("%.6f"):format(time), TIME_WIDTH - 1))
  for _, x in ipairs(self.x) do put(cells, x, self.glyphs.life) end
  return cells
end

local function segment_line(self, row)
  local from, to = self.column[row.from], self.column[row.to]
  if not from or not to or from == to then return nil end
  local cells = begin_line(self, row.time)
  local left, right = math.min(from, to), math.max(from, to)
  local inner = self.x[right] - self.x[left] - 1
  local draw = from < to and arrow_right or arrow_left
  put(cells, self.x[left] + 1, draw(row, inner, self.glyphs))
  if not row.arrival then put_state(self, cells, from, row.from_state, to) end
  if row.delivered and not row.crossed then put_state(self, cells, to, row.to_state, from) end
  return line_of(cells)
end

local function state_line(self, row)
  local column = self.column[row.node]
  if not column then return nil end
  local cells = begin_line(self, row.time)
  put_state(self, cells, column, row.state)
  return line_of(cells)
end

local function remark_line(self, row)
  local column = self.column[row.node]
  if not column then return nil end
  local cells = begin_line(self, row.time)
  local inner = self.x[#self.x] - self.x[1] - 3
  local text = "(" .. cut(row.text, inner - 2, self.glyphs.cut) .. ")"
  if column == #self.columns and column > 1 then
    put(cells, self.x[column] - length(text) - 1, text)
  else
    put(cells, self.x[column] + 2, text)
  end
  return line_of(cells)
end

local LINES <const> = { segment = segment_line, state = state_line, remark = remark_line }

--- Draws rows of `lunatcp.story`.
-- @tparam table rows
-- @tparam table columns `{ { node = number, name = text }, ... }` from left to right
-- @tparam[opt] table options `ascii`; `width` (default 100, at least 60)
-- @treturn string ends with a newline
function M.draw(rows, columns, options)
  options = options or {}
  local width = math.max(options.width or 100, 60)
  local self = setmetatable({
    columns = columns, column = {}, width = width, x = layout(columns, width),
    glyphs = options.ascii and GLYPHS.ascii or GLYPHS.utf8,
  }, Drawing)
  for i, column in ipairs(columns) do self.column[column.node] = i end
  local heading = canvas(width)
  put(heading, TIME_WIDTH - 4, "time")
  for i, column in ipairs(columns) do
    local name = cut(column.name, STATE_WIDTH, self.glyphs.cut)
    if i == 1 then
      put(heading, TIME_WIDTH + 2, pad_left(name, STATE_WIDTH))
    elseif i == #columns then
      put(heading, self.x[i] + 2, name)
    else
      put(heading, self.x[i] - length(name) // 2, name)
    end
  end
  local lines = { line_of(heading) }
  for _, row in ipairs(rows) do lines[#lines + 1] = LINES[row.kind](self, row) end
  return table.concat(lines, "\n") .. "\n"
end

return M
