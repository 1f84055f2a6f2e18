-- `./dev mutate [NAME...]`: breaks the core in one place after the other, and looks which spec or C
-- test fails.
--
-- The tree is copied to build-mutate/N/tree and built there, N being one of a few that work side by
-- side; for each mutant of list.lua one file of the copy is changed and compiled again, with the
-- invariants of the core compiled in. Then the spec that the list names runs, and all others and the C
-- tests after it, until the first failure. Those that compare golden digests run last, since they only
-- say that something is different; so does the one that runs others again. One that takes many times as
-- long as it should has hung, which counts as a failure. What fails is tried with the core as it is too,
-- where it has to succeed.
--
-- Exit status 1 when a mutant survives that list.lua does not explain, one fails that it explains, one does
-- not fit the sources any more, or a spec fails with the core as it is; 2 for arguments that make no sense.
package.path = "spec/?.lua;" .. package.path

local USAGE <const> = [[
usage: ./dev mutate [--jobs N] [--near] [NAME...]
       ./dev mutate --list [NAME...]

Breaks the core in one place after the other, as spec/mutants/list.lua says, and looks which spec or C
test fails. Takes all mutants, or those whose name or whose file below core/ contains NAME.

  --jobs N   so many side by side (default: as many as there are processors)
  --near     run only the specs that are near to what is broken: quick, and a survivor may be none
  --list     only name them
  --help     this text

Builds below build-mutate/, which can be removed at any time. Exit status 1 when anything is left to be
looked at: a mutant that survives without an explanation, or that has lost its place.]]

local ROOT <const> = "build-mutate"
local COPIED <const> = "CMakeLists.txt dev .busted .ci core crypto bindings bin lua spec examples docs bench "
  .. "fuzz rockspec README.md CHANGELOG.md LICENSE CMakePresets.json"
local LEFT_OUT <const> = { "^spec/mutants/" } -- they read the sources that are changed here
local TAGS <const> = "build,udp,netns,linux"  -- compilers, sockets and real time: slow or never the same
local SOCKETS <const> = "^spec/udp/"          -- those that the list names run all the same
local PATIENCE <const> = 20                   -- times as long as it took, then it has hung
local LEAST <const>, UNKNOWN <const> = 10, 240 -- seconds: the least of that, and where no time is known
local WAITS <const> = 10                      -- times as long on the clock, for what waits for ever
local MEMORY <const> = 4000000                -- KiB of address space
-- Compiled quickly, with header prediction and the invariants.
local CONFIGURED <const> = "-DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 -DLTCP_CHECK=ON"

-- Which specs show the work of which part; these come first.
local NEAR <const> = {
  { "^tcp/", "spec/tcp/", "spec/rfc9293/" },
  { "^congestion/", "spec/tcp/", "spec/congestion/" },
  { "^host/", "spec/rfc9293/", "spec/tcp/" },
  { "^socket/", "core/test/socket_", "spec/packetdrill" },
  { "^wire/", "core/test/wire_", "spec/rfc9293/" },
  { "^network/queue/", "core/test/queue_", "spec/network/aqm_" },
  { "^network/", "core/test/network_", "core/test/path_", "spec/lua/" },
}
local START <const> = 0.05 -- seconds that starting anything counts for
local LAST <const> = { "golden", "moved_spec" } -- they say only that something is different

local function fail(...)
  io.stderr:write("mutate: ", string.format(...), "\n")
  os.exit(2)
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function lines_of(command)
  local list, pipe = {}, assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function now()
  return tonumber(lines_of("date +%s.%N")[1])
end

-- ---- the list -----------------------------------------------------------------------------------

local M = {}

--- How often a text occurs in another one.
function M.occurrences(text, source)
  local count, at = 0, 1
  while true do
    local first, last = source:find(text, at, true)
    if not first then return count end
    count, at = count + 1, last + 1
  end
end

--- What is wrong with an entry of the list, or nil; and the text of its file.
function M.problem(mutant)
  local source = read("core/" .. mutant.file)
  if not source then return ("core/%s is not there"):format(mutant.file) end
  local count = M.occurrences(mutant.text, source)
  if count ~= 1 then
    return ("its text occurs %d times in core/%s; adapt spec/mutants/list/"):format(count, mutant.file)
  end
  if mutant.shown_by and not read(mutant.shown_by) then return mutant.shown_by .. " is not there" end
  return nil, source
end

local function mutated(mutant, source)
  local first, last = source:find(mutant.text, 1, true)
  return source:sub(1, first - 1) .. mutant.with .. source:sub(last + 1)
end

local function is_of(mutant, name)
  return mutant.name:find(name, 1, true) or ("core/" .. mutant.file):find(name, 1, true)
end

--- The mutants of a list that any of the names means; nil and a name that means none.
function M.chosen(list, names)
  if #names == 0 then return list end
  local mutants, is_used = {}, {}
  for _, mutant in ipairs(list) do
    local wanted = false
    for _, name in ipairs(names) do
      if is_of(mutant, name) then wanted, is_used[name] = true, true end
    end
    if wanted then mutants[#mutants + 1] = mutant end
  end
  for _, name in ipairs(names) do
    if not is_used[name] then return nil, name end
  end
  return mutants
end

-- ---- the copy and its build ---------------------------------------------------------------------

local home, tree, built, clean -- of this process: build-mutate/N and what lies below it

local function settle(number)
  home = ROOT .. "/" .. number
  tree, built, clean = home .. "/tree", home .. "/build", home .. "/clean"
end

-- Only what differs is written, so that only that is compiled again.
local function copy_tree()
  local present = {}
  for _, path in ipairs(lines_of(("find %s -type f 2>/dev/null"):format(COPIED))) do
    present[path] = true
    local target = tree .. "/" .. path
    local text = read(path)
    if text ~= read(target) then
      os.execute(("mkdir -p %s && cp -p %s %s && touch %s"):format(quoted(target:match "^(.*)/"),
        quoted(path), quoted(target), quoted(target)))
    end
  end
  for _, path in ipairs(lines_of(("cd %s && find . -type f"):format(tree))) do
    if not present[path:sub(3)] then os.remove(tree .. path:sub(2)) end
  end
end

local function configure_and_build(options)
  return os.execute(("LUNATCP_BUILD=$PWD/%s %s/dev build %s >%s/build.log 2>&1"):format(built, tree,
    options or "", home))
end

local function build(target)
  return os.execute(("cmake --build %s --target %s >%s/build.log 2>&1 </dev/null"):format(built, target,
    home))
end

local function is_c_test(check) return check:find "%.c$" end

-- The program of a C test, or the module for a spec: only what is about to run.
local function target_of(check)
  return is_c_test(check) and "test-" .. check:match "([^/]+)%.c$" or "lunatcp_core"
end

local function build_clean()
  os.execute(("mkdir -p %s %s"):format(tree, clean))
  copy_tree()
  local configured = read(built .. "/CMakeCache.txt")
  local ok = configured and configure_and_build() or not configured and configure_and_build(CONFIGURED)
  if not ok then fail("the tree as it is cannot be built (log: %s/build.log)", home) end
  os.execute(("rm -rf %s/* && mkdir -p %s/test && cp -r %s/lunatcp %s/ && cp %s/test/*_test %s/test/"):format(
    clean, clean, built, clean, built, clean))
end

-- ---- what is run --------------------------------------------------------------------------------

-- Spec files and C tests, by their paths.
local function all_checks()
  local list = {}
  for _, path in ipairs(lines_of(("cd %s && find spec -name '*_spec.lua' && ls core/test/*_test.c")
    :format(tree))) do
    local wanted = true
    for _, pattern in ipairs(LEFT_OUT) do wanted = wanted and not path:find(pattern) end
    if wanted then list[#list + 1] = path end
  end
  table.sort(list)
  return list
end

-- Runs one against a module (a directory of a build): whether it succeeded, and else what failed.
local function run(check, module, limit)
  local where, log = "$OLDPWD/" .. module, home .. "/check.log"
  local command
  if is_c_test(check) then
    command = ("%s/test/%s"):format(where, check:match "([^/]+)%.c$")
  else
    command = ("env LUNATCP_BUILD=%s LUNATCP_BUILT=1 LUNATCP_CAPTURES= "
      .. "LUA_PATH_5_4=\"$PWD/lua/?.lua;$PWD/lua/?/init.lua;;\" LUA_CPATH_5_4=\"%s/?.so;;\" "
      .. "lua5.4 \"$(command -v busted)\" --ignore-lua -o TAP --no-keep-going --exclude-tags=%s %s")
      :format(where, where, (check:find(SOCKETS) and TAGS:gsub("udp,", "") or TAGS), check)
  end
  -- The processor's time counts, so that a busy machine makes nothing hang.
  limit = math.ceil(limit)
  local ok, _, code = os.execute(("cd %s && ulimit -v %d && ulimit -t %d && "
    .. "exec timeout -k 1 %d %s >\"$OLDPWD\"/%s 2>&1 </dev/null"):format(tree, MEMORY, limit,
    WAITS * limit, command, log))
  if ok then return true end
  if code == 124 or code == 137 or code == 152 then return false, "hung" end
  local text = read(log) or ""
  local name = text:match "\nnot ok %d+ %- ([^\n]*)" or text:match "^not ok %d+ %- ([^\n]*)"
  local last = text:match "[%w_]+%.c:%d+: [^\n]*" -- what a C test says first
  return false, name or code > 128 and "crashed" or last or "failed"
end

local times = {}
local function load_times()
  local chunk = loadfile(home .. "/times.lua", "t", {})
  times = chunk and chunk() or {}
end
local function save_times(checks)
  local lines = {}
  for _, check in ipairs(checks) do
    if times[check] then lines[#lines + 1] = ("  [%q] = %.2f,"):format(check, times[check]) end
  end
  write(home .. "/times.lua", "return {\n" .. table.concat(lines, "\n") .. "\n}\n")
end

-- How far a check is from what is broken: 0 for what the list names, up to 1 for what is near.
local function distance(check, mutant)
  if check == mutant.shown_by then return 0 end
  for _, name in ipairs(LAST) do
    if check:find(name, 1, true) then return 1e6 end
  end
  if check:find(mutant.file:match "([^/]+)%.[ch]$", 1, true) then return 0.2 end
  for _, near in ipairs(NEAR) do
    for i = 2, mutant.file:find(near[1]) and #near or 1 do
      if check:find(near[i], 1, true) then return 1 end
    end
  end
  return 4
end

-- What is near first, and the quick ones first.
local function in_order(checks, mutant, only_near)
  local weight, ordered = {}, {}
  for _, check in ipairs(checks) do
    local far, time = distance(check, mutant), times[check] or 1
    weight[check] = (time + START) * far
    local wanted = not only_near or far < 1 or far == 1 and time < 5
    if wanted and (far == 0 or not check:find(SOCKETS)) then ordered[#ordered + 1] = check end
  end
  table.sort(ordered, function(a, b)
    if weight[a] ~= weight[b] then return weight[a] < weight[b] end
    return a < b
  end)
  return ordered
end

local is_clean = {} -- of checks that have failed: whether they succeed with the core as it is
local fails_always = 0

-- One that fails anyway shows nothing, and is left out.
local function is_telling(check)
  if is_clean[check] == nil then
    local ok, what = run(check, clean, UNKNOWN)
    is_clean[check] = ok
    if not ok then
      fails_always = fails_always + 1
      print(("    %s fails with the core as it is, and is left out: %s"):format(check, what))
    end
  end
  return is_clean[check]
end

-- The check that fails and what it says; nil: all succeed; nil and a reason: there is no mutant.
local function killer(mutant, checks, only_near)
  for _, check in ipairs(in_order(checks, mutant, only_near)) do
    if is_clean[check] ~= false then
      if not build(target_of(check)) then return nil, "does not compile" end
      local began = now()
      local limit = times[check] and math.max(LEAST, PATIENCE * times[check]) or UNKNOWN
      local ok, what = run(check, built, limit)
      if ok then
        times[check] = now() - began
      elseif is_telling(check) then
        return check, what
      end
    end
  end
end

-- ---- the run ------------------------------------------------------------------------------------

-- Tries one: which of the three ends it comes to, and the words for it.
local function try(mutant, checks, only_near)
  local problem, source = M.problem(mutant)
  local path, check, what = tree .. "/core/" .. mutant.file, nil, problem
  if source then
    write(path, mutated(mutant, source))
    check, what = killer(mutant, checks, only_near)
    write(path, source)
  end
  if not check and what then return "wrong", "NO MUTANT: " .. what end
  if check and mutant.equivalent then
    return "wrong", ("EXPLAINED, YET KILLED by %s: %s"):format(check, what)
  end
  if check then
    local other = mutant.shown_by and mutant.shown_by ~= check and ", not by " .. mutant.shown_by or ""
    return "killed", ("killed by %s: %s%s"):format(check, what, other)
  end
  if mutant.equivalent then return "explained", "survived, explained: " .. mutant.equivalent end
  return "wrong", ("SURVIVED (core/%s; %s)"):format(mutant.file, mutant.requirement)
end

-- Every `of`th mutant, from the `number`th on.
local function work(mutants, number, of, only_near)
  settle(number)
  os.remove(home .. "/count.lua")
  build_clean()
  load_times()
  local checks = all_checks()
  local count = { killed = 0, explained = 0, wrong = 0 }
  for i = number, #mutants, of do
    local ending, words = try(mutants[i], checks, only_near)
    count[ending] = count[ending] + 1
    print(("%3d/%d %s: %s"):format(i, #mutants, mutants[i].name, words))
    io.stdout:flush()
    save_times(checks)
  end
  write(home .. "/count.lua", ("return { killed = %d, explained = %d, wrong = %d, failing = %d }\n"):format(
    count.killed, count.explained, count.wrong, fails_always))
end

-- Starts those that work side by side, and adds up what they have left.
local function main(mutants, jobs, options)
  local began, commands, names = os.time(), {}, { options.near and "--near" }
  for _, name in ipairs(options.names) do names[#names + 1] = quoted(name) end
  for number = 1, jobs do
    commands[number] = ("lua5.4 spec/mutants/mutate.lua --part %d/%d %s &"):format(number, jobs,
      table.concat(names, " "))
  end
  os.execute(table.concat(commands, "\n") .. "\nwait")
  local sum = { killed = 0, explained = 0, wrong = 0, failing = 0 }
  for number = 1, jobs do
    local chunk = loadfile(("%s/%d/count.lua"):format(ROOT, number), "t", {})
    if not chunk then fail("number %d of %d has come to no end", number, jobs) end
    for key, n in pairs(chunk()) do sum[key] = sum[key] + n end
  end
  print(("%d mutants: %d killed, %d survived and explained, %d to be looked at; %d min"):format(#mutants,
    sum.killed, sum.explained, sum.wrong, (os.time() - began + 30) // 60))
  os.exit(sum.wrong == 0 and sum.failing == 0 and 0 or 1)
end

-- --jobs, --near, --list, --help, and --part N/M by which main starts its helpers.
local function parsed(arguments)
  local options, i = { names = {} }, 1
  local function value(what, pattern)
    i = i + 1
    local text = arguments[i] or fail("%s wants %s (--help)", arguments[i - 1], what)
    return text:match("^" .. pattern .. "$") and text
      or fail("%s wants %s, not '%s' (--help)", arguments[i - 1], what, text)
  end
  while arguments[i] do
    local argument = arguments[i]
    if argument == "--help" or argument == "-h" then
      options.help = true
    elseif argument == "--list" then
      options.list = true
    elseif argument == "--near" then
      options.near = true
    elseif argument == "--jobs" then
      options.jobs = math.tointeger(value("a number from 1 to 99", "[1-9]%d?"))
    elseif argument == "--part" then
      options.part = value("N/M", "[1-9]%d?/[1-9]%d?")
    elseif argument:find "^%-" or argument == "" then
      fail("'%s' is no option (--help)", argument)
    else
      options.names[#options.names + 1] = argument
    end
    i = i + 1
  end
  return options
end

-- Those that are explained come last: for each of them everything runs.
local function explained_last(mutants)
  local ordered, last = {}, {}
  for _, mutant in ipairs(mutants) do
    local list = mutant.equivalent and last or ordered
    list[#list + 1] = mutant
  end
  return table.move(last, 1, #last, #ordered + 1, ordered)
end

local function start(arguments)
  local options = parsed(arguments)
  if options.help then return print(USAGE) end
  local mutants, unknown = M.chosen(require "mutants.list", options.names)
  if not mutants then fail("no mutant's name or file contains '%s' (--list)", unknown) end
  mutants = explained_last(mutants)
  if options.list then
    for _, mutant in ipairs(mutants) do print(("%-50s core/%s"):format(mutant.name, mutant.file)) end
  elseif options.part then
    local number, of = options.part:match "(%d+)/(%d+)"
    work(mutants, math.tointeger(number), math.tointeger(of), options.near)
  else
    local processors = math.tointeger(lines_of("nproc 2>/dev/null || echo 1")[1])
    main(mutants, math.min(options.jobs or processors, #mutants), options)
  end
end

if ... ~= "mutants.mutate" then start(arg) end
return M
