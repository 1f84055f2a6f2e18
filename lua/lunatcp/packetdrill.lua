--- packetdrill scripts, run against the engine in virtual time.
--
--     local packetdrill = require "lunatcp.packetdrill"
--     local result = packetdrill.run_file("handshake.pkt", { profile = "linux" })
--     assert(result.ok, packetdrill.explain(result))
--
-- Options of `run` and `run_file`:
--
-- * `profile`: see `lunatcp.profiles` (default "linux", which most scripts assume);
-- * `strict`: also echoed timestamps and TCP checksums are compared;
-- * `options`: options of packetdrill (`{ ip_version = "ipv6", tolerance_usecs = 0 }`), which come before
--   the script's;
-- * `define`: words to replace, names to texts;
-- * `pcapng`: a file for what was on the wire; `seed` (default 1);
-- * `max_time` (seconds of virtual time, default a day), `max_events`: what ends a script that does not end.
--
-- A result has `ok`, `file`, `time` (seconds of virtual time), `events` (how many went well), `printed`
-- (what code printed), `warnings`; one that is not ok also `problem` (`line`, `column`, `message`, and
-- where they are known `expected`, `actual`, `fields`) and `ladder`.
-- @module lunatcp.packetdrill

local check = require "lunatcp.check"
local files = require "lunatcp.files"
local grammar = require "lunatcp.packetdrill.grammar"
local options_of = require "lunatcp.packetdrill.options"
local profiles = require "lunatcp.profiles"
local report = require "lunatcp.packetdrill.report"
local wire = require "lunatcp.packetdrill.wire"

local M = {}

local KEYS <const> = {
  "profile", "strict", "options", "define", "pcapng", "seed", "max_time", "max_events",
}
local DEFAULT_PROFILE <const> = "linux"

local function problem_of(file, line, column, message, source)
  return { file = file, line = line, column = column, message = message, source = source }
end

--- Parses a script, and checks what can be checked without running it. Never raises because of the text.
-- @string text
-- @string[opt] file its name in messages
-- @tparam[opt] table options see above
-- @treturn table script, settings of the run; or nil, a problem (`file`, `line`, `column`, `message`,
-- `source`)
function M.parse(text, file, options)
  options = check.options(options, KEYS, "packetdrill: options")
  check.type(text, "string", "packetdrill: text")
  local version = options_of.ip_version(text, file or "", options.options)
  local script, problem = grammar.parse(text, file, options_of.definitions(version, options.define))
  if not script then return nil, problem end
  local config, message, at = options_of.settings(script, version, options.options)
  if not config then
    return nil, problem_of(script.file, at and at.line or 1, at and at.column or 1, message)
  end
  for _, event in ipairs(script.events) do
    local wrong = event.kind == "packet" and wire.check(event.action, config.family)
    if wrong then return nil, problem_of(script.file, event.action.line, event.action.column, wrong) end
  end
  return script, config
end

--- Runs a script.
-- @string text
-- @string[opt] file its name in messages
-- @tparam[opt] table options see above
-- @treturn table result
function M.run(text, file, options)
  options = check.options(options, KEYS, "packetdrill: options")
  local script, config = M.parse(text, file, options)
  local result
  if not script then
    result = { ok = false, problem = config, printed = {}, warnings = {}, events = 0, time = 0 }
  else
    local profile, message = profiles.load(options.profile or DEFAULT_PROFILE)
    if not profile then check.raise("packetdrill: %s", message) end
    result = require "lunatcp.packetdrill.runner".run(script, config, profile, {
      strict = options.strict, seed = options.seed, pcapng = options.pcapng, max_time = options.max_time,
      max_events = options.max_events,
    })
    result.time = result.time / 1e9
  end
  result.file, result.text = file or "script", text
  if result.problem then result.problem.file = result.problem.file or result.file end
  return result
end

--- Runs a file.
-- @string path
-- @tparam[opt] table options see above
-- @treturn table result
function M.run_file(path, options)
  local text, message = files.read(path)
  if text then return M.run(text, path, options) end
  return {
    ok = false, file = path, printed = {}, warnings = {}, events = 0, time = 0,
    problem = problem_of(path, 1, 1, message),
  }
end

--- A result as lines for people: what failed and where, expected and actual packet, each field, the ladder.
-- @tparam table result
-- @treturn string
function M.explain(result) return report.explain(result) end

return M
