-- bench/smoltcp_grid.lua: 10 MiB through a long path with loss both ways, window by window.
--
-- The grid that smoltcp's authors published: a round trip of 100 ms, independent loss of data and ACKs, an
-- MSS of 1,460, no congestion control, no limit of rate. Ours beside theirs for the window that they give
-- figures for (32,768 octets), and for windows from 4 KiB to 4 MiB. No such window is a whole number of
-- segments: the setting `fill_window` sends the rest too, as theirs must. Octets a second; the handshake
-- meets no loss, since a lost SYN would make the constant window one segment (RFC 5681 section 3.1).
--
--   ./dev bench smoltcp_grid [--json] [--seeds=3] [--window=32768] [--octets=10485760]
--
-- In virtual time: the same on every machine.

local here <const> = arg[0]:match "^(.*)/" or "."
package.path = here .. "/support/?.lua;" .. package.path
local reference, report = require "reference", require "report"
local tcp = require "lunatcp"

local options <const> = report.options(arg, { seeds = 3, window = 0, octets = 10 << 20 })

local SEGMENT <const> = 1460
local CHUNK <const> = ("x"):rep(1 << 16)
local WINDOWS <const> = options.window > 0 and { options.window } or
  { 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20,
    4 << 20 }

-- Octets a second.
local function transfer(window, loss, seed)
  local net = tcp.network { seed = seed }
  local settings = {
    profile = "linux", timestamps = false, congestion = "fixed", mss = SEGMENT, fill_window = true,
    initial_window = math.min(65535, 2 * window // SEGMENT + 2), receive_buffer = window,
    tune_receive_buffer = false, window_start = 0,
    send_buffer = math.max(4 * window, 1 << 18),
  }
  local client, server = net:host("client", settings), net:host("server", settings)
  local link = net:link(client, server, { delay = 0.050 })
  local received, began, ended = 0, nil, nil
  net:spawn(function()
    local conn <close> = server:listen(80):accept()
    local data = conn:read(1 << 20)
    while data and received < options.octets do
      received = received + #data
      if received >= options.octets then ended = net:now() end
      data = conn:read(1 << 20)
    end
  end)
  net:spawn(function()
    local conn <close> = assert(client:connect(server, 80))
    link:configure { loss = loss }
    began = net:now()
    local left = options.octets
    while left > 0 do
      left = left - assert(conn:write(left < #CHUNK and CHUNK:sub(1, left) or CHUNK))
    end
    while not ended do net:sleep(0.1) end
  end)
  local ok, problem = pcall(net.run, net, { until_ = 100000 })
  net:close()
  if ended then return options.octets / (ended - began) end
  return 0, not ok and problem or nil
end

local function theirs(window, column)
  return window == reference.SMOLTCP_WINDOW and reference.smoltcp[column] or nil
end

local function cell(window, column, loss)
  local values = {}
  for seed = 1, options.seeds do
    local value, problem = transfer(window, loss, seed)
    if problem then io.stderr:write(problem, "\n") end
    values[seed] = value
  end
  local least, median, greatest = report.spread(values)
  local other = theirs(window, column)
  if options.json then
    report.json("bench", "smoltcp_grid", "case", window, "loss", loss, "metric", "goodput_octets_per_second",
      "value", median, "least", least, "greatest", greatest, "unit", "octets/s",
      "versus", other and "smoltcp", "versus_value", other, "ratio", other and median / other)
  end
  return median, other
end

if not options.json then
  print(("smoltcp_grid: %d octets over 100 ms, octets a second, medians of %d seeds"):format(options.octets,
    options.seeds))
  local head = { ("%9s"):format "window" }
  for _, loss in ipairs(reference.SMOLTCP_LOSSES) do head[#head + 1] = ("%10.1f %%"):format(loss * 100) end
  print(table.concat(head))
end
for _, window in ipairs(WINDOWS) do
  local ours, others, ratios = {}, {}, {}
  for column, loss in ipairs(reference.SMOLTCP_LOSSES) do
    local median, other = cell(window, column, loss)
    ours[column] = ("%12.0f"):format(median)
    if other then
      others[column], ratios[column] = ("%12d"):format(other), ("%12.2f"):format(median / other)
    end
  end
  if not options.json then
    print(("%9d%s"):format(window, table.concat(ours)))
    if #others > 0 then
      print(("%9s%s\n%9s%s"):format("smoltcp", table.concat(others), "ratio", table.concat(ratios)))
    end
  end
end
