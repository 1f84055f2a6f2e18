--- The sequence diagram as an SVG document: the rows of `lunatcp.story`, with arrows that slope.
--
-- A state stands beside a lifeline where it begins. The times at the left are those of sending; a
-- pointer held over an arrow shows both.
-- @module lunatcp.svg

local ladder = require "lunatcp.ladder"

local M = {}

-- Pixels.
local ROW <const> = 34
local TOP <const> = 40
local MARGIN <const> = 200
local SLOPE <const> = 16
local LEAST_GAP <const>, MOST_GAP <const> = 380, 760
local LETTER <const> = 6.7 -- width, of the font and size below
local HEADING <const> = [[
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"
 font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="11">
<style>
line { stroke: #334155 } text { fill: #0f172a; paint-order: stroke; stroke: white; stroke-width: 4px }
.life { stroke: #cbd5e1; stroke-width: 2 } .name { font-size: 13px; font-weight: bold }
.time, .remark { fill: #64748b } .remark { font-style: italic } .state { fill: #0369a1; font-weight: bold }
line.again { stroke: #b45309 } text.again { fill: #92400e }
line.lost { stroke: #b91c1c } text.lost { fill: #b91c1c }
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="#334155"/></marker></defs>
<rect width="100%%" height="100%%" fill="white"/>]]

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

local Drawing = {}
Drawing.__index = Drawing

local function add(self, format, ...)
  self.lines[#self.lines + 1] = format:format(...)
end

local function text(self, x, y, anchor, class, words)
  add(self, '<text class="%s" x="%d" y="%d" text-anchor="%s">%s</text>', class, x, y, anchor, escape(words))
end

local function line(self, class, x1, y1, x2, y2, style)
  add(self, '<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"%s/>', class, x1, y1, x2, y2, style or "")
end

-- Beside the lifeline, and only where it is another one than the last that was shown there.
local function state(self, column, y, name, flow)
  local shown = self.shown[column]
  if not name or shown[flow] == name then return end
  shown[flow] = name
  if column == 1 then
    text(self, self.x[1] - 10, y + 4, "end", "state", name)
  else
    text(self, self.x[column] + 10, y + 4, "start", "state", name)
  end
end

local function class_of(row)
  if row.dropped then return "lost" end
  return row.notes.retransmission and "again" or "segment"
end

local function words_of(row) return row.label .. ladder.fate_words(row) end

-- Room for the words, as far as the font is known.
local function width_of(row) return math.ceil(LETTER * utf8.len(words_of(row))) end

-- The words of an arrow, along it and above it: in its middle, or where it begins.
local function words(self, row, x1, y1, x2, y2, at_start)
  local direction = x1 < x2 and 1 or -1
  local x, y, anchor = (x1 + x2) // 2, (y1 + y2) // 2, "middle"
  if at_start then x, y, anchor = x1 + 14 * direction, y1, direction > 0 and "start" or "end" end
  add(self, '<text class="%s" x="%d" y="%d" text-anchor="%s" transform="rotate(%.2f %d %d)">%s</text>',
    class_of(row), x, y - 5, anchor, math.deg(math.atan((y2 - y1) * direction, math.abs(x2 - x1))), x, y,
    escape(words_of(row)))
end

local function lost(self, row, x1, y, x2)
  local direction = x1 < x2 and 1 or -1
  local length = math.min(math.max(math.abs(x2 - x1) * 3 // 5, width_of(row) + 30), math.abs(x2 - x1) - 60)
  local stop, below = x1 + length * direction, y + SLOPE * length // math.abs(x2 - x1)
  line(self, "lost", x1, y, stop, below)
  words(self, row, x1, y, stop, below, true)
  text(self, stop, below + 4, direction > 0 and "start" or "end", "lost",
    direction > 0 and "\u{2715} " .. row.dropped or row.dropped .. " \u{2715}")
end

local function time_of(seconds) return ("%.6f"):format(seconds) end

local function segment(self, row, y)
  local from, to = self.column[row.from], self.column[row.to]
  if not from or not to or from == to then return end
  if row.departed then return state(self, to, y, row.to_state, row.flow) end -- drawn from where it left
  local x1, x2 = self.x[from], self.x[to]
  local arrived = self.arrived[row]
  local came = arrived and arrived.time or row.arrived
  add(self, "<g><title>%s</title>", escape(words_of(row) .. "\nsent " .. time_of(row.time)
    .. (came and "\narrived " .. time_of(came) or "")))
  state(self, from, y, row.from_state, row.flow)
  if row.dropped then
    lost(self, row, x1, y, x2)
  else
    local y2 = arrived and arrived.y or y + SLOPE
    line(self, class_of(row), x1, y, x2, y2,
      ' marker-end="url(#head)"' .. (row.delivered and not row.arrival and "" or ' stroke-dasharray="4 4"'))
    words(self, row, x1, y, x2, y2, self.crosses[row])
    if row.delivered and not arrived then state(self, to, y2, row.to_state, row.flow) end
  end
  add(self, "</g>")
end

local function remark(self, row, y)
  local column = self.column[row.node]
  local left = column == #self.x and column > 1
  text(self, self.x[column] + (left and -10 or 10), y + 4, left and "end" or "start", "remark",
    "(" .. row.text .. ")")
end

-- Which arrows are under way while another one is: they cross in their middles.
local function find_crossings(self, rows)
  local index = {}
  for i, row in ipairs(rows) do
    index[row] = i
    local departed = row.departed
    if departed then
      self.arrived[departed] = { y = TOP + i * ROW, time = row.time }
      for j = index[departed] or i, i - 1 do self.crosses[rows[j]] = true end
    end
  end
end

-- Columns as far apart as the longest words want.
local function lay_out(self, columns, rows)
  local gap = LEAST_GAP
  for _, row in ipairs(rows) do
    local width = row.kind == "segment" and width_of(row) or 0
    gap = math.max(gap, (self.crosses[row] and 2 * width or width) + 60)
  end
  gap = math.min(gap, MOST_GAP)
  for i, column in ipairs(columns) do
    self.x[i] = MARGIN + (i - 1) * gap
    self.column[column.node], self.shown[i] = i, {}
  end
  return 2 * MARGIN + math.max(#columns - 1, 0) * gap, TOP + (#rows + 2) * ROW
end

--- Draws.
-- @tparam table rows
-- @tparam table columns as for `lunatcp.ladder`
-- @treturn string
function M.draw(rows, columns)
  local self = setmetatable({
    lines = {}, x = {}, column = {}, -- by node
    shown = {}, -- the last state of each flow, by column
    arrived = {}, crosses = {}, -- by row
  }, Drawing)
  find_crossings(self, rows)
  local width, height = lay_out(self, columns, rows)
  add(self, HEADING, width, height, width, height)
  for i, column in ipairs(columns) do
    line(self, "life", self.x[i], 38, self.x[i], height - 8)
    text(self, self.x[i], 28, "middle", "name", column.name)
  end
  for i, row in ipairs(rows) do
    local y = TOP + i * ROW
    text(self, 76, y + 4, "end", "time", time_of(row.time))
    if row.kind == "segment" then
      segment(self, row, y)
    elseif self.column[row.node] then
      if row.kind == "state" then state(self, self.column[row.node], y, row.state, row.flow)
      else remark(self, row, y) end
    end
  end
  add(self, "</svg>")
  return table.concat(self.lines, "\n") .. "\n"
end

return M
