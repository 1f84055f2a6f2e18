--- Manual pages of the commands, made of what `--help` says: docs/man, by `./dev docs`.
-- @module lunatcp.cli.man

local M = {}

local STATUS <const> = "0; 1 when it failed; 2 for wrong usage."

-- Text as troff wants it: nothing in it is a request or an escape.
local function plain(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (text:gsub("^[.']", "\\&%0"):gsub("\n([.'])", "\n\\&%1"))
end

local function upper(text) return (text:gsub("%-", "\\-"):upper()) end

-- What follows "Exit status:" at the end of an epilog, and what stands before it.
local function divided(epilog)
  local text, status = (epilog or ""):match "^(.-)%s*Exit status: (.*)$"
  if not status then return epilog or "", STATUS end
  return text, status
end

-- Indented lines are examples, the others paragraphs.
local function paragraphs(out, text)
  local example = false
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    local indented = line:match "^%s+(%S.*)$"
    if indented and not example then out[#out + 1] = ".PP\n.nf\n.RS" end
    if not indented and example then out[#out + 1] = ".RE\n.fi\n.PP" end
    example = indented ~= nil
    out[#out + 1] = plain(indented or line)
  end
  if example then out[#out + 1] = ".RE\n.fi" end
end

-- "-o FILE, --output FILE" of argparse's lines of labels.
local function label_of(element)
  local words = {}
  for _, line in ipairs(element:_get_label_lines()) do words[#words + 1] = line:match "^%s*(.-),?%s*$" end
  return table.concat(words, ", ")
end

local function elements(out, title, list)
  if #list == 0 then return end
  out[#out + 1] = ".SH " .. title
  for _, element in ipairs(list) do
    out[#out + 1] = ".TP\n.B " .. plain(label_of(element))
    out[#out + 1] = plain(element:_get_description())
  end
end

local function head(out, name, description)
  out[#out + 1] = ('.\\" Made by ./dev docs; not to be edited.\n.TH %s 1 "" lunatcp "User commands"')
    :format(upper(name))
  out[#out + 1] = (".SH NAME\n%s \\- %s"):format(plain(name), plain((description:gsub("%.$", ""))))
end

--- The page of one command.
-- @param command of argparse
-- @string program "lunatcp"
-- @treturn string
function M.page(command, program)
  local out, name = {}, program .. "-" .. command._name
  local text, status = divided(command._epilog)
  head(out, name, command._description)
  local usage = command:get_usage():gsub("^Usage: ", ""):gsub("%s+", " ")
  out[#out + 1] = ".SH SYNOPSIS\n" .. plain(usage)
  out[#out + 1] = ".SH DESCRIPTION\n" .. plain(command._description)
  if text ~= "" then paragraphs(out, text) end
  elements(out, "ARGUMENTS", command._arguments)
  elements(out, "OPTIONS", command._options)
  out[#out + 1] = '.SH "EXIT STATUS"\n' .. plain(status)
  out[#out + 1] = (".SH \"SEE ALSO\"\n.BR %s (1)\n"):format(plain(program))
  return table.concat(out, "\n")
end

--- The page of the program: what commands there are.
-- @param root of argparse
function M.root(root)
  local out, name = {}, root._name
  local text, status = divided(root._epilog)
  head(out, name, root._description)
  out[#out + 1] = (".SH SYNOPSIS\n.B %s\nCOMMAND [ARGUMENTS]"):format(plain(name))
  out[#out + 1] = ".SH DESCRIPTION\n" .. plain(root._description)
  if text ~= "" then paragraphs(out, text) end
  out[#out + 1] = ".SH COMMANDS"
  for _, command in ipairs(root._commands) do
    out[#out + 1] = (".TP\n.BR %s (1)\n%s"):format(plain(name .. "-" .. command._name),
      plain(command._description))
  end
  out[#out + 1] = [[
.SH ENVIRONMENT
.TP
.B LUNATCP_SEED
The seed of all chances, before one that is given.]]
  out[#out + 1] = '.SH "EXIT STATUS"\n' .. plain(status) .. "\n"
  return table.concat(out, "\n")
end

--- All pages: a list of { file name, text }.
function M.pages(root)
  local list = { { root._name .. ".1", M.root(root) } }
  for _, command in ipairs(root._commands) do
    list[#list + 1] = { ("%s-%s.1"):format(root._name, command._name), M.page(command, root._name) }
  end
  return list
end

return M
