--- The command line: `lunatcp COMMAND`. Each command is a module below this one with `define(parser)` and
-- `run(options)`, which gives the exit status: 0, or 1 when it could not be done. Wrong usage is 2.
-- @module lunatcp.cli

local core = require "lunatcp.core"

local M = {}

local COMMANDS <const> = {
  "new_spec", "run", "cat", "proxy", "capture", "decode", "pkt", "settings", "version",
}
local USAGE <const> = 2

--- Says what went wrong; gives the exit status for it.
function M.fail(message)
  io.stderr:write("lunatcp: ", message, "\n")
  return 1
end

--- Prints a line; ends the process when it cannot be written.
function M.print(text)
  local ok, message = io.write(text, "\n")
  if not ok then os.exit(M.fail("standard output: " .. message)) end
end

--- The module of the name, which only the command line needs; ends the process where it is missing.
-- @string name
-- @string package what a person installs
function M.need(name, package)
  local ok, module = pcall(require, name)
  if ok then return module end
  os.exit(M.fail(("the Lua module %s is not there (luarocks install %s; Debian: lua-%s)")
    :format(name, package, package)))
end

--- A value as one line of JSON, keys in the given order.
-- @param value
-- @tparam {string,...} order
function M.json(value, order)
  return M.need("dkjson", "dkjson").encode(value, { keyorder = order })
end

local function parser()
  local made = M.need("argparse", "argparse")("lunatcp", "A complete TCP, held in the hand of a Lua script.")
  made:command_target "command"
  made:epilog "lunatcp COMMAND --help tells more. Exit status: 0, 1 when it failed, 2 for wrong usage."
  made.error = function(at, message)
    io.stderr:write(at:get_usage(), "\n\nlunatcp: ", message, "\n")
    os.exit(USAGE)
  end
  return made
end

-- What a converter complains of says for which option.
local function name_options(command)
  for _, list in ipairs { command._options, command._arguments } do
    for _, element in ipairs(list) do
      local convert, aliases = element._convert, element._aliases or {}
      local name = aliases[#aliases] or element._name
      if type(convert) == "function" then
        element._convert = function(text)
          local value, message = convert(text)
          return value, message and ("%s: %s"):format(name, message)
        end
      end
    end
  end
end

--- The parser of all commands, and their modules by name.
function M.parser()
  local commands, root = {}, parser()
  for _, name in ipairs(COMMANDS) do
    local command = require("lunatcp.cli." .. name)
    command.define(root)
    commands[(name:gsub("_", "-"))] = command
  end
  for _, command in ipairs(root._commands) do name_options(command) end
  return root, commands
end

--- Runs the command line.
-- @tparam {string,...} arguments
-- @treturn integer exit status
function M.main(arguments)
  local root, commands = M.parser()
  local options = root:parse(arguments)
  local status = commands[options.command].run(options, root)
  local ok, message = io.stdout:flush()
  if not ok then return M.fail("standard output: " .. message) end
  return status
end

M.version = core.VERSION

return M
