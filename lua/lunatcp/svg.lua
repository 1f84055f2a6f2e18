--- The sequence diagram as an SVG document: the rows of `lunatcp.story`, with arrows that slope.
-- @module lunatcp.svg

local ladder = require "lunatcp.ladder"

local M = {}

local ROW <const> = 22
local TOP <const> = 48
local MARGIN <const> = 190
local GAP <const> = 620
local SLOPE <const> = 12

local COLOURS <const> = {
  line = "#334155", life = "#cbd5e1", lost = "#b91c1c", text = "#0f172a", soft = "#64748b",
}

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

local Drawing = {}
Drawing.__index = Drawing

local function add(self, format, ...)
  self.lines[#self.lines + 1] = format:format(...)
end

local function text(self, x, y, anchor, colour, words)
  add(self, '<text x="%d" y="%d" text-anchor="%s" fill="%s">%s</text>', x, y, anchor, colour, escape(words))
end

local function state(self, column, y, name)
  if not name then return end
  if column == 1 then
    text(self, self.x[1] - 8, y, "end", COLOURS.soft, name)
  else
    text(self, self.x[column] + 8, y, "start", COLOURS.soft, name)
  end
end

local function line(self, x1, y1, x2, y2, colour, dashed, head)
  add(self, '<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"%s%s/>', x1, y1, x2, y2, colour,
    dashed and ' stroke-dasharray="3 3"' or "", head and ' marker-end="url(#head)"' or "")
end

local function segment(self, row, y)
  local from, to = self.column[row.from], self.column[row.to]
  if not from or not to or from == to then return end
  local x1, x2 = self.x[from], self.x[to]
  local words = row.label .. ladder.fate_words(row)
  local middle = (x1 + x2) // 2
  if row.arrival then return state(self, to, y + SLOPE, row.to_state) end -- drawn from where it left
  state(self, from, y, row.from_state)
  if row.dropped then
    local stop = x1 + (x2 - x1) * 3 // 5
    line(self, x1, y, stop, y + SLOPE * 3 // 5, COLOURS.lost, false, false)
    text(self, stop, y + SLOPE * 3 // 5 + 5, "middle", COLOURS.lost, "\u{2715} " .. row.dropped)
    middle = (x1 + stop) // 2
  elseif row.crossed then
    line(self, x1, y, x2, self.arrival_y[row] or y + SLOPE, COLOURS.line, false, true)
  else
    line(self, x1, y, x2, y + SLOPE, COLOURS.line, not row.delivered, true)
    if row.delivered then state(self, to, y + SLOPE, row.to_state) end
  end
  text(self, middle, y - 3, "middle", COLOURS.text, words)
end

--- Draws.
-- @tparam table rows
-- @tparam table columns as for `lunatcp.ladder`
-- @treturn string
function M.draw(rows, columns)
  local self = setmetatable({ lines = {}, x = {}, column = {}, arrival_y = {} }, Drawing)
  for i, column in ipairs(columns) do
    self.x[i] = MARGIN + (i - 1) * GAP
    self.column[column.node] = i
  end
  for i, row in ipairs(rows) do
    if row.departed then self.arrival_y[row.departed] = TOP + i * ROW + SLOPE end
  end
  local width, height = 2 * MARGIN + math.max(#columns - 1, 0) * GAP, TOP + (#rows + 2) * ROW
  add(self, '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
    .. 'font-family="ui-monospace, monospace" font-size="11">', width, height, width, height)
  add(self, '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    .. 'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="%s"/></marker></defs>', COLOURS.line)
  add(self, '<rect width="100%%" height="100%%" fill="white"/>')
  for i, column in ipairs(columns) do
    text(self, self.x[i], 24, "middle", COLOURS.text, column.name)
    line(self, self.x[i], 32, self.x[i], height - 8, COLOURS.life)
  end
  for i, row in ipairs(rows) do
    local y = TOP + i * ROW
    if row.kind ~= "segment" or not row.arrival then
      text(self, 66, y, "end", COLOURS.soft, ("%.6f"):format(row.time))
    end
    if row.kind == "segment" then
      segment(self, row, y)
    elseif self.column[row.node] then
      local at = self.column[row.node]
      if row.kind == "state" then
        state(self, at, y, row.state)
      else
        text(self, self.x[at] + (at == 1 and 8 or -8), y, at == 1 and "start" or "end", COLOURS.soft,
          "(" .. row.text .. ")")
      end
    end
  end
  add(self, "</svg>")
  return table.concat(self.lines, "\n") .. "\n"
end

return M
