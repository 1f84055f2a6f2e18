--- `lunatcp proxy`: impairs what passes between two UDP sockets, whatever programs have them.
-- @module lunatcp.cli.proxy

local cli = require "lunatcp.cli"
local wire = require "lunatcp.cli.wire"

local M = {}

local KEYS <const> = {
  "clients", "clients_now", "forgotten", "refused", "misled", "crowded", "forward", "back", "seed",
  table.unpack(wire.COUNTS),
}

local LAST <const> = [[
Clients send to the address of --bind instead of the server's:
   lunatcp proxy --bind 127.0.0.1:9000 127.0.0.1:9899 --loss 1% --delay 20ms --seed 7
Chances, delays and queues are those of the simulator: the same seed drops the same packets. It
runs until a signal, or as long as --for says; then the counts are printed.
Exit status: 0, also after SIGINT and SIGTERM; 1 when it could not be done; 2 for wrong usage.]]

function M.define(parser)
  local command = parser:command("proxy", "Stand between two UDP sockets, and impair what passes.")
  command:argument("server", "Where it goes: ADDRESS:PORT."):argname "ADDRESS:PORT"
  command:option("--bind", "Where clients send to (any port of 127.0.0.1; it is printed).")
    :argname "ADDRESS:PORT"
  command:option("--clients", "So many clients at a time, each with a socket of its own (64)."):argname "N"
    :convert(wire.integer(1, 65535, "number of clients"))
  command:option("--idle", "After so long a silence a client may be forgotten for a new one (60s).")
    :argname "TIME":convert(wire.quantity "time")
  command:option("--batch", "How datagrams reach the kernel: auto, gso, mmsg or plain.")
    :choices { "auto", "gso", "mmsg", "plain" }:argname "NAME"
  command:option("--capture", "Write what passes into a pcapng file; - is the standard output.")
    :argname "FILE"
  command:option("--for", "End after so long."):argname "TIME":target "duration":convert(wire.quantity "time")
  command:flag("--json", "At the end, the counts as a JSON object.")
  wire.define_path(command)
  command:epilog(LAST)
end

local function socket_of(text, parser, what)
  local at = wire.socket(text)
  if not at or not at.port or (at.port == 0 and what == "") then
    parser:error(("proxy: %s'%s' is no ADDRESS:PORT of numbers"):format(what, text))
  end
  return wire.join(at.host, at.port)
end

-- "forward: 100 datagrams, 98 delivered, dropped: 2 by loss, 3 duplicated"
local function line_of(name, counters)
  local words = { ("%d packets, %d octets, %d delivered"):format(counters.packets, counters.bytes,
    counters.delivered) }
  local told = wire.counts(counters)
  for _, reason in ipairs(wire.REASONS) do
    local count = told.dropped[reason]
    if count then words[#words + 1] = ("%d dropped: %s"):format(count, reason) end
  end
  for _, key in ipairs { "duplicated", "corrupted", "delayed", "marked" } do
    if counters[key] > 0 then words[#words + 1] = ("%d %s"):format(counters[key], key) end
  end
  return ("%-8s %s"):format(name, table.concat(words, ", "))
end

local function report(proxy, options, print)
  local path, sockets = proxy:counters(), proxy:tunnel_counters()
  if options.json then
    print(cli.json({
      clients = sockets.clients, clients_now = sockets.clients_now, forgotten = sockets.forgotten,
      refused = sockets.refused, misled = sockets.misled, crowded = sockets.crowded, seed = proxy.net.seed,
      forward = wire.counts(path.forward), back = wire.counts(path.back),
    }, KEYS))
    return
  end
  print(line_of("forward", path.forward))
  print(line_of("back", path.back))
  print(("clients  %d, refused datagrams %d, misled %d"):format(sockets.clients, sockets.refused,
    sockets.misled))
end

function M.run(options, parser)
  local made = wire.path(options)
  made.server = socket_of(options.server, parser, "")
  made.bind = options.bind and socket_of(options.bind, parser, "--bind: ")
  made.clients, made.idle, made.batch = options.clients, options.idle, options.batch
  local net, problem = wire.try(parser, wire.network, options)
  if not net then return cli.fail(problem) end
  local _ <close> = net
  local proxy, message, code = wire.try(parser, net.proxy, net, made)
  if not proxy then return cli.fail(("%s (%s)"):format(message, code)) end
  -- A capture takes the standard output for itself.
  local to_output = options.capture == "-"
  local function say(text)
    if to_output then io.stderr:write(text, "\n") else cli.print(text) end
  end
  local capture
  capture, message = wire.capture(net, options.capture)
  if message then return cli.fail(message) end
  local state = {}
  wire.catch_signals(net, state)
  if not options.json then
    say(("proxy    %s > %s"):format(wire.join(proxy:socket()), made.server))
    io.stdout:flush()
  end
  wire.run_until_signal(net, state, options.duration)
  report(proxy, options, say)
  return wire.finish(capture)
end

return M
