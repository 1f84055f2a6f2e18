-- `./dev mutate [NAME...]`: breaks the core in one place after the other, and looks which spec or C
-- test fails.
--
-- The tree is copied to build-mutate/tree and built there; for each mutant of list.lua one file of the
-- copy is changed and compiled again, with the invariants of the core compiled in. Then specs and C tests
-- run until the first failure. Those that compare golden digests run last, since they only say that
-- something is different; so does the one that runs others again. One that takes many times as long as it
-- should has hung, which counts as a failure. What fails is tried with the core as it is too, where it has
-- to succeed.
--
-- Exit status 1 when a mutant survives that list.lua does not explain, one fails that it explains, one does
-- not fit the sources any more, or a spec fails with the core as it is.

local ROOT <const> = "build-mutate"
local TREE <const>, BUILD <const>, CLEAN <const> = ROOT .. "/tree", ROOT .. "/build", ROOT .. "/clean"
local TIMES <const> = ROOT .. "/times.lua"
local COPIED <const> = "CMakeLists.txt dev .busted .ci core crypto bindings bin lua spec examples docs bench "
  .. "fuzz rockspec README.md CHANGELOG.md LICENSE CMakePresets.json"
local LEFT_OUT <const> = { "^spec/mutants/" } -- they read the sources that are changed here
local TAGS <const> = "build,udp,netns"        -- compilers, sockets and real time: slow or never the same
local PATIENCE <const> = 20                   -- times as long as it took, then it has hung
local LEAST <const>, UNKNOWN <const> = 10, 240 -- seconds: the least of that, and where no time is known
local WAITS <const> = 10                      -- times as long on the clock, for what waits for ever
local MEMORY <const> = 4000000                -- KiB of address space

-- Which specs show the work of which part; these come first.
local NEAR <const> = {
  { "^tcp/", "spec/tcp/", "spec/rfc9293/" },
  { "^congestion/", "spec/tcp/" },
  { "^host/", "spec/rfc9293/", "spec/tcp/" },
  { "^wire/", "core/test/wire_", "spec/rfc9293/" },
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
    return ("its text occurs %d times in core/%s; adapt spec/mutants/list.lua"):format(count, mutant.file)
  end
  return nil, source
end

local function mutated(mutant, source)
  local first, last = source:find(mutant.text, 1, true)
  return source:sub(1, first - 1) .. mutant.with .. source:sub(last + 1)
end

local function is_wanted(mutant, names)
  for _, name in ipairs(names) do
    if mutant.name:find(name, 1, true) then return true end
  end
  return #names == 0
end

local function chosen(list, names)
  local mutants = {}
  for _, mutant in ipairs(list) do
    if is_wanted(mutant, names) then mutants[#mutants + 1] = mutant end
  end
  if #mutants == 0 then fail("no mutant's name contains %s", table.concat(names, " or ")) end
  return mutants
end

-- ---- the copy and its build ---------------------------------------------------------------------

-- Only what differs is written, so that only that is compiled again.
local function copy_tree()
  local present = {}
  for _, path in ipairs(lines_of(("find %s -type f 2>/dev/null"):format(COPIED))) do
    present[path] = true
    local target = TREE .. "/" .. path
    local text = read(path)
    if text ~= read(target) then
      os.execute(("mkdir -p %s && cp -p %s %s && touch %s"):format(quoted(target:match "^(.*)/"),
        quoted(path), quoted(target), quoted(target)))
    end
  end
  for _, path in ipairs(lines_of(("cd %s && find . -type f"):format(TREE))) do
    if not present[path:sub(3)] then os.remove(TREE .. path:sub(2)) end
  end
end

local function build(...)
  return os.execute(("LUNATCP_BUILD=$PWD/%s %s/dev build %s >%s/build.log 2>&1"):format(BUILD, TREE,
    table.concat({ ... }, " "), ROOT))
end

local function build_clean()
  os.execute(("mkdir -p %s %s"):format(TREE, CLEAN))
  copy_tree()
  local configured = read(BUILD .. "/CMakeCache.txt")
  local ok = configured and build() or not configured and build("-DLTCP_CHECK=ON")
  if not ok then fail("the tree as it is cannot be built (log: %s/build.log)", ROOT) end
  os.execute(("rm -rf %s/* && mkdir -p %s/test && cp -r %s/lunatcp %s/ && cp %s/test/*_test %s/test/"):format(
    CLEAN, CLEAN, BUILD, CLEAN, BUILD, CLEAN))
end

-- ---- what is run --------------------------------------------------------------------------------

-- Spec files and C tests, by their paths.
local function all_checks()
  local list = {}
  for _, path in ipairs(lines_of(("cd %s && find spec -name '*_spec.lua' && ls core/test/*_test.c")
    :format(TREE))) do
    local wanted = true
    for _, pattern in ipairs(LEFT_OUT) do wanted = wanted and not path:find(pattern) end
    if wanted then list[#list + 1] = path end
  end
  table.sort(list)
  return list
end

-- Runs one against a module (a directory of a build): whether it succeeded, and else what failed.
local function run(check, module, limit)
  local where, log = "$OLDPWD/" .. module, ROOT .. "/check.log"
  local command
  if check:find "%.c$" then
    command = ("%s/test/%s"):format(where, check:match "([^/]+)%.c$")
  else
    command = ("env LUNATCP_BUILD=%s LUNATCP_BUILT=1 LUNATCP_CAPTURES= "
      .. "LUA_PATH_5_4=\"$PWD/lua/?.lua;$PWD/lua/?/init.lua;;\" LUA_CPATH_5_4=\"%s/?.so;;\" "
      .. "lua5.4 \"$(command -v busted)\" --ignore-lua -o TAP --no-keep-going --exclude-tags=%s %s")
      :format(where, where, TAGS, check)
  end
  -- The processor's time counts, so that a busy machine makes nothing hang.
  limit = math.ceil(limit)
  local ok, _, code = os.execute(("cd %s && ulimit -v %d && ulimit -t %d && "
    .. "exec timeout -k 1 %d %s >\"$OLDPWD\"/%s 2>&1 </dev/null"):format(TREE, MEMORY, limit,
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
  local chunk = loadfile(TIMES, "t", {})
  times = chunk and chunk() or {}
end
local function save_times(checks)
  local lines = {}
  for _, check in ipairs(checks) do
    if times[check] then lines[#lines + 1] = ("  [%q] = %.2f,"):format(check, times[check]) end
  end
  write(TIMES, "return {\n" .. table.concat(lines, "\n") .. "\n}\n")
end

-- The quick ones first, and before them those that are near to the file.
local function in_order(checks, mutant)
  local weight, word = {}, mutant.file:match "([^/]+)%.[ch]$"
  for _, check in ipairs(checks) do
    local factor = check:find(word, 1, true) and 0.2 or 4
    for _, near in ipairs(NEAR) do
      for i = 2, mutant.file:find(near[1]) and #near or 1 do
        if check:find(near[i], 1, true) then factor = math.min(factor, 1) end
      end
    end
    for _, name in ipairs(LAST) do
      if check:find(name, 1, true) then factor = 1e6 end
    end
    weight[check] = ((times[check] or 1) + START) * factor
  end
  local ordered = table.move(checks, 1, #checks, 1, {})
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
    local ok, what = run(check, CLEAN, UNKNOWN)
    is_clean[check] = ok
    if not ok then
      fails_always = fails_always + 1
      print(("    %s fails with the core as it is, and is left out: %s"):format(check, what))
    end
  end
  return is_clean[check]
end

-- The check that fails and what it says, or nil: all succeed.
local function killer(mutant, checks)
  for _, check in ipairs(in_order(checks, mutant)) do
    if is_clean[check] ~= false then
      local began = now()
      local limit = times[check] and math.max(LEAST, PATIENCE * times[check]) or UNKNOWN
      local ok, what = run(check, BUILD, limit)
      if ok then
        times[check] = now() - began
      elseif is_telling(check) then
        return check, what
      end
    end
  end
end

-- ---- the run ------------------------------------------------------------------------------------

local function main(names)
  local mutants = chosen(dofile "spec/mutants/list.lua", names)
  build_clean()
  load_times()
  local checks = all_checks()
  local began = os.time()
  local count = { killed = 0, explained = 0, wrong = 0 }
  for i, mutant in ipairs(mutants) do
    local path = TREE .. "/core/" .. mutant.file
    local problem, source = M.problem(mutant)
    local check, what
    if problem then
      what = "NO MUTANT: " .. problem
    else
      write(path, mutated(mutant, source))
      if build() then check, what = killer(mutant, checks) else what = "NO MUTANT: does not compile" end
    end
    local verdict
    if not check and what then
      count.wrong, verdict = count.wrong + 1, what
    elseif check and mutant.equivalent then
      count.wrong, verdict = count.wrong + 1, ("EXPLAINED, YET KILLED by %s: %s"):format(check, what)
    elseif check then
      count.killed, verdict = count.killed + 1, ("killed by %s: %s"):format(check, what)
    elseif mutant.equivalent then
      count.explained, verdict = count.explained + 1, "survived, explained: " .. mutant.equivalent
    else
      count.wrong = count.wrong + 1
      verdict = ("SURVIVED (core/%s; %s)"):format(mutant.file, mutant.requirement)
    end
    print(("%3d/%d %s: %s"):format(i, #mutants, mutant.name, verdict))
    io.stdout:flush()
    if source then write(path, source) end
    save_times(checks)
  end
  print(("%d mutants: %d killed, %d survived and explained, %d to be looked at; %d min"):format(#mutants,
    count.killed, count.explained, count.wrong, (os.time() - began + 30) // 60))
  os.exit(count.wrong == 0 and fails_always == 0 and 0 or 1)
end

if ... ~= "mutants.mutate" then main(arg) end
return M
