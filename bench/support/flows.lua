--- Bulk flows over one bottleneck, in virtual time.
-- @module flows

local tcp = require "lunatcp"

local M = {}

local AMPLE <const> = 16 << 20
local CHUNK <const> = ("x"):rep(1 << 18)

local function settings(options)
  local result = { profile = "linux", send_buffer = AMPLE, receive_buffer = AMPLE }
  for key, value in pairs(options or {}) do result[key] = value end
  return result
end

-- The sender of a flow is a host of its own, so that flows may have different round trips:
-- sender - (delay, jitter) - router - bottleneck - receiver.
local function open(net, router, receiver, flow, number, options)
  local seconds <const> = options.seconds
  local sender = net:host("sender" .. number, settings(flow.settings))
  local delay <const> = flow.delay or 0
  net:link(sender, router, { delay = delay, forward = { delay = delay, jitter = options.jitter } })
  local state = { octets = 0 }
  local port = 5000 + number
  net:spawn(function()
    local conn <close> = receiver:listen(port):accept()
    local data = conn:read(1 << 20)
    while data do
      state.octets = state.octets + #data
      data = conn:read(1 << 20)
    end
  end)
  net:spawn(function()
    net:sleep(flow.start or 0)
    state.conn = assert(sender:connect(receiver, port, { congestion = flow.congestion }))
    while net:now() < seconds and state.conn:write(CHUNK) do end
  end)
  return state
end

--- Runs flows for so many seconds.
-- @tparam table options `seed`, `seconds`, `rate`, `delay` (of the bottleneck, one way), `queue`, `loss` (of
--   data, behind the queue), `flows`: each with `congestion`, and perhaps `delay`, `start`, `settings`;
--   `from`: octets count from this time on; `jitter`: of each sender's packets, in seconds
-- @treturn {table,...} of each flow: `goodput` in bits a second, `info` of the sender's end
-- @treturn table counters of the bottleneck
function M.run(options)
  local net = tcp.network { seed = options.seed }
  local router, receiver = net:router "router", net:host("receiver", settings())
  local bottleneck = net:link(router, receiver, {
    delay = options.delay,
    forward = {
      rate = options.rate, queue = options.queue, loss = options.loss, loss_after_queue = true,
    },
  })
  local states = {}
  for i, flow in ipairs(options.flows) do
    states[i] = open(net, router, receiver, flow, i, options)
  end
  local before, from = {}, options.from or 0
  if from > 0 then net:run { until_ = from } end
  for i, state in ipairs(states) do before[i] = state.octets end
  net:run { until_ = options.seconds }
  local results = {}
  for i, state in ipairs(states) do
    results[i] = {
      goodput = (state.octets - before[i]) * 8 / (options.seconds - from),
      info = state.conn and state.conn:info(),
    }
  end
  local counters = bottleneck:counters(router)
  net:close()
  return results, counters
end

--- Which packets of a run the bottleneck's chance takes: the same lots are drawn by number for whatever is
-- sent over the first link of a network with that seed.
-- @int seed
-- @number loss
-- @int count of packets
-- @treturn {[integer]=boolean} by number of the packet
function M.lots(seed, loss, count)
  local net = tcp.network { seed = seed, trace = false }
  local a, b = net:peer "a", net:peer "b"
  local link = net:link(a, b, { forward = { loss = loss } })
  local packet = tcp.encode {
    source = a:address(b), destination = b:address(a), source_port = 1, destination_port = 2, flags = "A",
  }
  local lots, lost = {}, 0
  for i = 1, count do
    a.core:send(packet)
    net:run { until_ = net:now() + 1e-6 }
    local now_lost = link:counters(a).dropped.loss or 0
    if now_lost > lost then lots[i] = true end
    lost = now_lost
  end
  net:close()
  return lots
end

return M
