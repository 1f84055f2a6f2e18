--- `lunatcp cat`: netcat over a tunnel. What comes from the standard input goes to the other end, what comes
-- from there to the standard output.
-- @module lunatcp.cli.cat

local cli = require "lunatcp.cli"
local core = require "lunatcp.core"
local wire = require "lunatcp.cli.wire"
local tcp = require "lunatcp"

local M = {}

local CHUNK <const> = 65536
local ABORT <const> = 0.01 -- seconds
local LINGER_MOST <const> = 3 -- seconds in TIME-WAIT, to answer a FIN that comes again
local FIN_MOST <const> = 5 -- seconds until a FIN that nobody acknowledges is given up
local STATE <const> = core.EVENT.state | core.EVENT.closed

local KEYS <const> = {
  "sent", "received", "retransmitted", "datagrams_out", "datagrams_in", "forward", "back", "problem",
  "signal", table.unpack(wire.COUNTS),
}

local LAST <const> = [[
Two terminals:
   lunatcp cat -l 7
   lunatcp cat 127.0.0.1 7
Files: lunatcp cat -l 7 >copy and lunatcp cat 127.0.0.1 7 <file
Programs: ssh -o ProxyCommand='lunatcp cat 127.0.0.1 22' user@host
The address is that of the tunnel's far UDP socket (its port 9899, unless it is said: 127.0.0.1:9000), of
--tun the one to connect to. A listener hears 127.0.0.1:9899, or what --bind says: 0.0.0.0 is any address of
IPv4, [::] of IPv6. With cheshire, whose ports are those of UDP, the PORT is the socket's.
Input that ends is a half-close; cat ends when both directions have ended: at most five seconds later when
nobody acknowledges that; who ended first stays some retransmission timeouts, at most three seconds. Data that
nobody acknowledges any more, since the other end is gone, ends it after --give-up; two minutes are more than
the 100 seconds that RFC 9293 asks for at least.
Exit status: 0; 1 when there was no connection, or it was lost; 2 for wrong usage; 128 and more: by a
signal.]]

function M.define(parser)
  local command = parser:command("cat", "Join standard input and output to a connection through a tunnel.")
  command:argument("target", "Where to connect to, ADDRESS and PORT; with -l only the PORT."):args "1-2"
    :argname { "ADDRESS", "PORT" }
  command:flag("-l --listen", "Wait for one connection, on the PORT of every inner address.")
  command:option("-w --wait", "Give up when there is no connection after so long."):argname "TIME"
    :convert(wire.quantity "time")
  command:option("--give-up",
    "End when data was not acknowledged for so long (default 120s; 0: after the profile's retransmissions).")
    :argname "TIME":convert(wire.quantity "time"):default "120s":show_default(false)
  command:option("--profile", "Settings to begin with: linux (the default) or rfc."):choices(tcp.profiles)
    :argname "NAME":default "linux":show_default(false)
  command:option("--congestion", "The congestion control."):choices(tcp.congestions()):argname "NAME"
  command:option("--capture", "Write what passes into a pcapng file."):argname "FILE"
  command:flag("-v --verbose", "Say what happens.")
  command:flag("--json", "At the end, counts as a JSON object on the standard error.")
  wire.define_tunnel(command)
  wire.define_path(command)
  command:epilog(LAST)
end

-- ---- where to ---------------------------------------------------------------------------------

local function port_of(text, parser)
  local port = math.tointeger(tonumber(text))
  if not port or port < 1 or port > 65535 then parser:error(("cat: '%s' is no port"):format(text)) end
  return port
end

-- The UDP port where none is said. With cheshire TCP has no ports of its own.
local function usual_port(options, port)
  if options.framing == "vxlan" then return wire.VXLAN_PORT end
  return options.framing == "cheshire" and port or wire.PORT
end

-- With cheshire the socket's port is the PORT, too.
local function check_ports(options, parser, at, port)
  if options.framing ~= "cheshire" or not at or not at.port or at.port == port then return end
  parser:error(("cat: cheshire has no ports but the sockets': %d is not %d"):format(at.port, port))
end

-- Fills in what net:tunnel wants for the far end, and gives the TCP port.
local function aim(options, parser, tunnel)
  local target = options.target
  if #target ~= (options.listen and 1 or 2) then
    parser:error(options.listen and "cat: -l takes a PORT alone" or "cat: ADDRESS and PORT expected")
  end
  local port = port_of(target[#target], parser)
  local bind
  if options.bind then
    bind = wire.socket(options.bind)
    if not bind then parser:error(("cat: --bind: '%s' is no address of numbers"):format(options.bind)) end
    local otherwise = (options.listen or options.framing == "vxlan") and usual_port(options, port) or 0
    tunnel.bind = wire.join(bind.host, bind.port or otherwise)
  end
  if options.listen then
    if not options.tun then
      check_ports(options, parser, bind, port)
      tunnel.learn = true
      tunnel.bind = tunnel.bind or wire.join("127.0.0.1", usual_port(options, port))
    end
    return port
  end
  local far = wire.socket(target[1])
  if not far then parser:error(("cat: '%s' is no address of numbers"):format(target[1])) end
  if options.tun then
    tunnel.remote_address = tunnel.remote_address or far.host
  else
    check_ports(options, parser, far, port)
    tunnel.peer = wire.join(far.host, far.port or usual_port(options, port))
  end
  return port
end

-- ---- the two directions -----------------------------------------------------------------------

local function fail(state, what, message, code)
  state.problem = state.problem or ("%s: %s (%s)"):format(what, message, code)
end

-- Whoever waits for a direction to end looks again.
local function ended(net, state) net.scheduler:wake(state, ~0) end

-- From the standard input to the other end; then half-close.
local function send(net, state)
  local input <close> = net:input()
  while true do
    local bytes, message, code = input:read(CHUNK)
    if not bytes then
      if code then return fail(state, "standard input", message, code) end
      break
    end
    local sent, problem, why = state.conn:write(bytes)
    if not sent then return fail(state, "connection", problem, why) end
    state.sent = state.sent + sent
  end
  state.conn:shutdown()
  local ok, message, code = state.conn:flush()
  if not ok then return fail(state, "connection", message, code) end
  state.sent_all = true
end

-- From the other end to the standard output.
local function receive(net, state)
  local output <close> = net:output()
  while true do
    local bytes, message, code = state.conn:read(CHUNK)
    if not bytes then
      if code then return fail(state, "connection", message, code) end
      break
    end
    local written, problem, why = output:write(bytes)
    if not written then return fail(state, "standard output", problem, why) end
    state.received = state.received + written
  end
  output:finish()
  state.received_all = true
end

-- The connection may die while one direction is over and the other waits for the standard input.
local function watch(net, state)
  while state.conn:state() ~= "CLOSED" do net.scheduler:wait(state.conn, STATE, nil, "cat") end
  local info = state.conn:info()
  if info and info.code then fail(state, "connection", info.error, info.code) end
end

-- ---- a connection, and its end ----------------------------------------------------------------

local function open(net, host, tunnel, port, options, state)
  local settings = { congestion = options.congestion, user_timeout = options.give_up }
  if not options.listen then
    settings.timeout = options.wait
    local conn, message, code = host:connect(net:remote { via = tunnel }, port, settings)
    if not conn then return fail(state, ("port %d"):format(port), message, code) end
    return conn
  end
  local listener, message, code = host:listen(port, settings)
  if not listener then return fail(state, ("port %d"):format(port), message, code) end
  if options.verbose then
    wire.say("listening on port %d of %s", port, options.tun or wire.join(tunnel:socket()))
  end
  local conn
  conn, message, code = listener:accept { timeout = options.wait }
  listener:close()
  if not conn then return fail(state, ("port %d"):format(port), message, code) end
  return conn
end

-- All data is there, both ways. Our FIN is to be acknowledged too; and who closed first stays a while, since
-- the last ACK may be lost, and then the other's FIN comes again.
local function linger(net, state)
  local conn, deadline = state.conn, net:now() + FIN_MOST
  while conn:state() ~= "TIME-WAIT" and conn:state() ~= "CLOSED" do
    if not net.scheduler:wait(conn, STATE, deadline, "cat") then return end
  end
  local info = conn:info()
  if info and info.state == "TIME-WAIT" then
    net:sleep(math.min(3.5 * info.rto, LINGER_MOST))
  end
end

local function report(state, tunnel)
  local counters, path = tunnel:tunnel_counters(), tunnel:counters()
  io.stderr:write(cli.json({
    sent = state.sent, received = state.received, problem = state.problem, signal = state.signal,
    retransmitted = state.info and state.info.segments_retransmitted,
    datagrams_out = counters.datagrams_out, datagrams_in = counters.datagrams_in,
    forward = wire.counts(path.forward), back = wire.counts(path.back),
  }, KEYS), "\n")
end

local function both(net, state)
  local function run(direction)
    direction(net, state)
    ended(net, state)
  end
  local tasks = { net:spawn("send", run, send), net:spawn("receive", run, receive),
    net:spawn("watch", run, watch) }
  while not state.problem and not (state.sent_all and state.received_all) do
    net.scheduler:wait(state, ~0, nil, "cat")
  end
  for _, task in ipairs(tasks) do task:close() end
end

local function serve(net, host, tunnel, port, options, state)
  state.conn = open(net, host, tunnel, port, options, state)
  if not state.conn then return end
  if options.verbose then wire.say("connected: %s", state.conn) end
  both(net, state)
  state.info = state.conn:info()
  if state.problem then return end
  linger(net, state)
  state.conn:close()
end

function M.run(options, parser)
  if options.capture == "-" then parser:error "cat: --capture: the standard output is the connection's" end
  local tunnel_options = wire.tunnel(options)
  local port = aim(options, parser, tunnel_options)
  local net, problem = wire.try(parser, wire.network, options)
  if not net then return cli.fail(problem) end
  local _ <close> = net
  local host = net:host(options.listen and "server" or "client")
  local tunnel, message, code = wire.try(parser, net.tunnel, net, host, tunnel_options)
  if not tunnel then return cli.fail(("%s (%s)"):format(message, code)) end
  local capture
  capture, message = wire.capture(net, options.capture)
  if message then return cli.fail(message) end
  local state = { sent = 0, received = 0, waiters = {} }
  wire.catch_signals(net, state)
  local task = net:spawn("cat", serve, net, host, tunnel, port, options, state)
  net:run { until_ = function() return state.signal or task.status == "done" end }
  if state.conn and (state.signal or state.problem) then
    state.conn:abort()
    net:run { until_ = net:now() + ABORT } -- the reset leaves
  end
  if options.json then report(state, tunnel) end
  if wire.finish(capture) ~= 0 then return 1 end
  if state.signal then return wire.STATUS_OF[state.signal] end
  if state.problem then return cli.fail("cat: " .. state.problem) end
  return 0
end

return M
