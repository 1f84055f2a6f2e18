-- Random dialogues between our TCP and the kernel's: all that a seed decides is in spec/linux/wild/plan.lua.
local judge = require "linux.wild.judge"
local ours = require "linux.wild.ours"
local plans = require "linux.wild.plan"
local world = require "linux.world"

local M = {}

local TROUBLE <const> = 1.5 -- seconds; then the way is as good as a way can be
local MENDED <const> = { loss = 0, duplicate = 0, corrupt = 0, reorder = 0, mark = 0 }
local PATIENCE <const> = 20 -- seconds until all is over
local LOOK <const> = 0.02
local UNSEEN <const> = 4
local PORT <const> = 7000

local function program()
  return (os.getenv "KERNEL_PEER":gsub("kernel_peer$", "kernel_dialogue"))
end

-- ---- the kernel's end -----------------------------------------------------------------------------

local function said(made)
  local file <close> = assert(io.open(made.file))
  return file:read "a"
end

-- Waits without keeping the network waiting, until the kernel's end has said so or `enough` says true.
local function wait_for(w, made, pattern, enough)
  local text = said(made)
  while not text:find(pattern) and not (enough and enough(text)) do
    w.net:sleep(LOOK)
    text = said(made)
  end
  return text
end

-- Where we abort at once, the reset may come before the ACK that the kernel's listener waits for: nobody has
-- heard of the connection there.
local function unseen(w, made)
  local begun = w.net:now()
  return function(text)
    made.unseen = text == "ready\n" and made.ends == "ours" and w.net:now() - begun > UNSEEN
    return made.unseen
  end
end

local function start(w, made, verb, address)
  local words = { program(), verb, address, tostring(made.port) }
  for _, word in ipairs(made.kernel) do words[#words + 1] = word end
  words[#words + 1] = "write"
  for _, step in ipairs(made.theirs.writes) do words[#words + 1] = tostring(step) end
  words[#words + 1] = "read"
  for _, step in ipairs(made.theirs.reads) do words[#words + 1] = tostring(step) end
  made.command = table.concat(words, " ")
  world.sh(("%s%s >%s 2>&1 &"):format(w.prefix, made.command, made.file))
end

-- ---- a dialogue -----------------------------------------------------------------------------------

-- May the octets that are written first go with the SYN?
local function goes_first(made, who)
  return made.fast_open and math.type(made[who].writes[1]) == "integer"
end

local function connect(w, plan, made)
  local first = goes_first(made, "ours") and made.ours.writes[1] or nil
  if first and first <= 1400 and plan.settings.send_buffer >= 20000 then
    made.ours.queued = first
  else
    first = nil
  end
  if made.fast_open then table.insert(made.kernel, "fastopen=5") end
  start(w, made, "listen", world.THEIRS[plan.family])
  wait_for(w, made, "ready")
  return w.host:connect(w:remote(plan.family), made.port, {
    timeout = PATIENCE, fast_open = first and ours.octets(0, first) or nil,
  })
end

local function accept(w, plan, made)
  local listener <close> = assert(w.host:listen(made.port, { fast_open = made.fast_open or nil }))
  if goes_first(made, "theirs") then table.insert(made.kernel, "fastopen_connect=1") end
  start(w, made, "connect", world.OURS[plan.family])
  return listener:accept { timeout = PATIENCE }
end

local function play(w, plan, made)
  local begun = w.net:now()
  local open = made.side == "client" and connect or accept
  local conn, message, code = open(w, plan, made)
  made.opened = conn ~= nil
  if not conn then
    -- The kernel's end may read what came with the SYN, and reset before its SYN-ACK is here.
    if code ~= "ECONNREFUSED" or not made.fast_open or made.ends ~= "theirs" then
      made.wrong("not opened: %s", message)
    end
    return
  end
  made.conn, made.info = conn, conn:info()
  ours.play(w.net, conn, made)
  made.said = wait_for(w, made, "\nend\n", unseen(w, made))
  made.done = true
  made.took, made.bad = w.net:now() - begun, plan.bad
end

-- ---- the whole ------------------------------------------------------------------------------------

local function mend(w)
  w.net:sleep(TROUBLE)
  assert(w.far:configure(MENDED))
end

-- Linux sends several segments of a run again with the urgent pointer of the first (as of 6.18): a receiver
-- that takes urgent octets out of the stream then takes a wrong one. There they leave one by one.
local function one_by_one(w, plan)
  local urgent = false
  for _, made in ipairs(plan.dialogues) do
    for _, step in ipairs(made.theirs.writes) do urgent = urgent or step == "u" end
  end
  if not urgent or plan.settings.urgent_inline then return end
  world.sh(("%sip link set dev %s gso_max_segs 1"):format(w.prefix, plan.way == "vxlan" and "vx0" or "tun7"))
end

local function begin(plan, capture)
  local w = world.open {
    way = plan.way, outer = plan.outer, family = plan.family, settings = plan.settings, seed = plan.seed,
    forward = plan.forward, back = plan.back, mtu = plan.mtu, batch = plan.batch,
    trace = { events = 4096, packets = 65536 },
  }
  world.sh(("%ssysctl -q -e -w %s 2>/dev/null || true"):format(w.prefix, table.concat(plan.sysctls, " ")))
  one_by_one(w, plan)
  if capture and capture ~= "" then w.capture = assert(w.net:capture(capture)) end
  return w
end

-- A dialogue that nobody ends is wrong, and the others are judged all the same.
local function run_all(w, plan, problems)
  local left = #plan.dialogues
  for i, made in ipairs(plan.dialogues) do
    made.port, made.file = PORT + i, "/run/dialogue." .. i
    io.open(made.file, "w"):close()
    made.wrong = function(text, ...)
      problems[#problems + 1] = ("dialogue %d (%s): "):format(i, made.side) .. text:format(...)
    end
    w.net:spawn("dialogue " .. i, function()
      play(w, plan, made)
      left = left - 1
    end)
  end
  w.net:spawn("mend", mend, w)
  w.net:spawn("invariants", function()
    while left > 0 and #problems == 0 do
      local broken = w.net.core:check()
      if broken then problems[#problems + 1] = "invariant: " .. broken end
      w.net:sleep(LOOK)
    end
  end)
  local begun = w.net:now()
  w.net:run { until_ = function() return left == 0 or w.net:now() - begun > PATIENCE + TROUBLE end }
end

--- Plays a seed. With a third argument, the packets are written to that file.
function M.play(seed, capture)
  seed = tonumber(os.getenv "LUNATCP_SEED") or tonumber(seed)
  local plan, problems = plans.draw(seed), {}
  local w = begin(plan, capture)
  run_all(w, plan, problems)
  for _, made in ipairs(plan.dialogues) do
    made.said = made.said or said(made)
    judge.dialogue(made)
  end
  judge.leftovers(w, plan, problems)
  if w.capture then w.capture:close() end
  if #problems == 0 then return end
  error(("%s\n%s\nseed %d (LUNATCP_SEED=%d replays its plan)"):format(table.concat(problems, "\n"),
    judge.describe(plan), seed, seed), 0)
end

return M
