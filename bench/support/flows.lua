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
-- sender - (delay) - router - bottleneck - receiver.
local function open(net, router, receiver, flow, number, seconds)
  local sender = net:host("sender" .. number, settings(flow.settings))
  net:link(sender, router, { delay = flow.delay or 0 })
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
--   `from`: octets count from this time on
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
    states[i] = open(net, router, receiver, flow, i, options.seconds)
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

return M
