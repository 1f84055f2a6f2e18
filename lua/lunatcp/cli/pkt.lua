--- `lunatcp pkt FILE|FOLDER...`: packetdrill scripts against the engine, in virtual time.
-- @module lunatcp.cli.pkt

local cli = require "lunatcp.cli"

local M = {}

local VERSIONS <const> = { "ipv4", "ipv4-mapped-ipv6", "ipv6" }
local JOBS_MOST <const> = 256

local function whole(least, most)
  return function(text)
    local value = math.tointeger(tonumber(text))
    if not value or value < least or value > most then
      return nil, ("'%s' is no number from %d to %d"):format(text, least, most)
    end
    return value
  end
end

local function assignment(text)
  local name, value = text:match "^([%w_]+)=(.*)$"
  if not name then return nil, ("'%s' is not NAME=VALUE"):format(text) end
  return { name = name, value = value }
end

function M.define(parser)
  local command = parser:command("pkt",
    "Run packetdrill scripts in virtual time; closes with \"N passed, N failed\".")
  command:argument("path", "Scripts, and folders that hold them (*.pkt)."):args "+"
  command:flag("--strict", "Compare echoed timestamps and TCP checksums too.")
  command:option("--tolerance",
    "Slack in microseconds, in place of the script's; without a share of the interval."):argname "USECS"
    :convert(whole(0, 1000000000))
  command:option("--profile", "rfc, linux, or a Lua file.", "linux"):argname "NAME|FILE"
  command:option("--ip-version", "In place of the script's own."):choices(VERSIONS)
  command:option("-D --define", "Replace a word of the scripts; may be given again."):argname "NAME=VALUE"
    :count "*":convert(assignment)
  command:option("-O --option", "An option of packetdrill, in place of the script's; may be given again.")
    :argname "NAME=VALUE":count "*":convert(assignment)
  command:option("--pcapng",
    "Write what was on the wire: a file, or a folder that exists for several scripts."):argname "OUT"
  command:option("--format", "plain, tap or junit.", "plain"):choices { "plain", "tap", "junit" }
  command:option("-j --jobs", "Processes that share the scripts.", "1"):argname "N"
    :convert(whole(1, JOBS_MOST))
  command:option("--max-time", "Seconds of virtual time after which a script is stopped."):argname "SECONDS"
    :convert(whole(1, 1000000000))
  command:flag("-v --verbose", "Name also what passed.")
  command:flag("--dry-run", "Only parse.")
  command:flag("--worker", "Be one of the processes of -j."):hidden(true)
end

-- What a run is told, from what the command line said.
local function run_options(options)
  local given, define = {}, {}
  for _, item in ipairs(options.option) do given[item.name] = item.value == "" or item.value end
  for _, item in ipairs(options.define) do define[item.name] = item.value end
  if options.tolerance then given.tolerance_usecs, given.tolerance_percent = options.tolerance, 0 end
  given.ip_version = options.ip_version or given.ip_version
  return {
    profile = options.profile, strict = options.strict, options = given, define = define,
    max_time = options.max_time,
  }
end

local function capture_path(options, file, count)
  if not options.pcapng or count == 1 then return options.pcapng end
  local name = file:gsub("^%./", ""):gsub("%.pkt$", ""):gsub("[/\\]", "-"):gsub("^%-+", "")
  return ("%s/%s.pcapng"):format(options.pcapng, name)
end

local function run_one(options, file, count)
  local packetdrill = require "lunatcp.packetdrill"
  local told = run_options(options)
  if options.dry_run then
    local text, message = require "lunatcp.files".read(file)
    local script, problem
    if text then
      script, problem = packetdrill.parse(text, file, told)
    else
      problem = { file = file, line = 1, column = 1, message = message }
    end
    return {
      ok = script ~= nil, file = file, problem = not script and problem or nil, warnings = {}, printed = {},
    }
  end
  told.pcapng = capture_path(options, file, count)
  return packetdrill.run_file(file, told)
end

-- ---- several processes ------------------------------------------------------------------------

local SENT <const> = { "ok", "file", "time", "events", "printed", "warnings", "ladder", "text" }
local SENT_OF_PROBLEM <const> = {
  "file", "line", "column", "message", "source", "expected", "actual", "actual_time", "fields",
}

-- A result as it goes from one process to another: the texts that are printed, no parsed script.
local function portable(result)
  local copy = {}
  for _, key in ipairs(SENT) do copy[key] = result[key] end
  if result.problem then
    copy.problem = {}
    for _, key in ipairs(SENT_OF_PROBLEM) do copy.problem[key] = result.problem[key] end
    local event = result.problem.event
    if event then copy.problem.event = { first = event.first, last = event.last } end
  end
  if result.ok then copy.text = nil end
  return copy
end

-- The other end of -j: numbers come in, results go out.
local function work(options)
  local json = cli.need("dkjson", "dkjson")
  for line in io.lines() do
    local file = options.path[tonumber(line)]
    if not file then return 1 end
    io.write(json.encode(portable(run_one(options, file, #options.path))), "\n")
    io.flush()
  end
  return 0
end

-- The same command line, for the processes: the files instead of the folders, and what matters to a run.
local function worker_arguments(options, files)
  local list = { arg[0], "pkt", "--worker", "--profile", options.profile }
  local function push(...)
    for _, item in ipairs { ... } do list[#list + 1] = item end
  end
  if options.strict then push "--strict" end
  if options.dry_run then push "--dry-run" end
  if options.tolerance then push("--tolerance", tostring(options.tolerance)) end
  if options.ip_version then push("--ip-version", options.ip_version) end
  if options.max_time then push("--max-time", tostring(options.max_time)) end
  if options.pcapng then push("--pcapng", options.pcapng) end
  for _, item in ipairs(options.define) do push("--define", item.name .. "=" .. item.value) end
  for _, item in ipairs(options.option) do push("--option", item.name .. "=" .. item.value) end
  push "--"
  for _, file in ipairs(files) do push(file) end
  return list
end

local function run_many(uv, options, files, done)
  local json = cli.need("dkjson", "dkjson")
  return require "lunatcp.packetdrill.workers".run(uv, {
    files = files, jobs = options.jobs, done = done, decode = function(line) return (json.decode(line)) end,
    command = { program = uv.exepath(), arguments = worker_arguments(options, files) },
  })
end

-- ---- the command ------------------------------------------------------------------------------

local function luv(needed)
  local ok, uv = pcall(require, "luv")
  if ok then return uv end
  if needed then return cli.need("luv", "luv") end
end

-- Folders need luv; a list of files does not.
local function files_of(paths)
  local all = {}
  for _, path in ipairs(paths) do
    if path:find "%.pkt$" then
      all[#all + 1] = path
    else
      local found, message = require "lunatcp.packetdrill.workers".files(luv(true), path)
      if not found then return nil, message end
      table.move(found, 1, #found, #all + 1, all)
    end
  end
  return all
end

local function progress(options, count)
  local uv = luv(false)
  if not uv or uv.guess_handle(2) ~= "tty" or options.worker or count < 2 then
    return { show = function() end, clear = function() end }
  end
  return {
    show = function(counts, file)
      local line = ("%d of %d, %d failed  %s"):format(counts.passed + counts.failed, count, counts.failed,
        file)
      io.stderr:write("\r\27[K", line:sub(1, 100))
    end,
    clear = function() io.stderr:write "\r\27[K" end,
  }
end

-- Takes results in any order and writes them in that of the files.
local function in_order(options, files)
  local report = require "lunatcp.packetdrill.report"
  local writer = report.writer(options.format, cli.print, options)
  local counts, waiting, next_number = { passed = 0, failed = 0 }, {}, 1
  local line = progress(options, #files)
  writer.begin(#files)
  local function done(number, result)
    local key = result.ok and "passed" or "failed"
    counts[key] = counts[key] + 1
    waiting[number] = result
    line.clear()
    while waiting[next_number] do
      writer.result(next_number, waiting[next_number])
      waiting[next_number], next_number = false, next_number + 1
    end
    line.show(counts, files[number])
  end
  local function finish()
    line.clear()
    writer.finish(counts)
    return counts.failed == 0 and 0 or 1
  end
  return done, finish
end

function M.run(options, parser)
  local profile, problem = require "lunatcp.profiles".load(options.profile)
  if not profile then return cli.fail(problem) end
  if options.worker then return work(options) end
  local files, message = files_of(options.path)
  if not files then return cli.fail(message) end
  if #files == 0 then parser:error "pkt: there are no scripts (*.pkt)" end
  local done, finish = in_order(options, files)
  if options.jobs > 1 and #files > 1 then
    local ok
    ok, message = run_many(luv(true), options, files, done)
    if not ok then return cli.fail(message) end
  else
    for i, file in ipairs(files) do done(i, run_one(options, file, #files)) end
  end
  return finish()
end

return M
