-- A host that knows AccECN (RFC 9768), and a script that plays the other end. The flags AE, CWR and ECE
-- are one number here, as the RFC's ACE field is: 5 is AE and ECE.
local lab = require "support.lab"

local M = {}

local LETTERS <const> = { [0] = "", "E", "W", "EW", "N", "EN", "WN", "EWN" }

--- Flags for `peer:send`: those given, and the three as a number.
function M.flags(letters, ace) return letters .. LETTERS[ace & 7] end

--- The three flags of a packet that came.
function M.ace(packet)
  local flags = packet.flags
  return (flags.ae and 4 or 0) + (flags.cwr and 2 or 0) + (flags.ece and 1 or 0)
end

local function merged(...)
  local all = {}
  for _, part in ipairs { ... } do
    for key, value in pairs(part) do all[key] = value end
  end
  return all
end

local function forge(options)
  local s = {}
  s.net, s.host, s.peer = lab.forge {
    host = merged({ isn = 5000, ecn = 3, timestamps = false, delayed_ack = false }, options.host or {}),
  }
  -- What came, flags and IP-ECN field: until something came that is wanted.
  function s.next(seconds) return s.peer:receive { timeout = seconds or 0.1 } end
  function s.send(fields) s.peer:send(merged({ seq = 1001, ack = 5001, window = 65535 }, fields)) end
  -- A segment with so many octets from the script: its sequence numbers go on by themselves.
  s.seq = 1001
  function s.data(octets, fields)
    fields = fields or {}
    s.send(merged({ flags = M.flags("A", fields.ace or 5), seq = s.seq, payload = ("x"):rep(octets) },
      { ecn = fields.ecn, ack = fields.ack, options = fields.options }))
    s.seq = s.seq + octets
  end
  function s.wait(seconds) s.net:run { until_ = s.net:now() + (seconds or 0.05) } end
  return s
end

--- The script opens: `syn` says its fields (`ace`, 7 by default, `ecn`, `options`); comes back after the
-- SYN-ACK (`synack`).
function M.syn(options)
  options = options or {}
  local s = forge(options)
  local syn = options.syn or {}
  s.listener = s.host:listen(80)
  function s.again(ace, ecn)
    s.peer:send {
      flags = M.flags("S", ace), seq = 1000, destination_port = 80, ecn = ecn, window = 65535,
      options = syn.options or { mss = 1000 },
    }
  end
  s.again(syn.ace or 7, syn.ecn)
  s.synack = s.peer:expect { ack = 1001 }
  return s
end

--- ... and on, by an ACK whose ACE is `ace` (2 by default) and whose `options` are given: `conn`.
function M.passive(options)
  options = options or {}
  local s = M.syn(options)
  s.send { flags = M.flags("A", options.ace or 2), options = options.options, payload = options.payload }
  s.conn = assert(s.listener:accept())
  return s
end

--- The host opens, and the script has its SYN.
function M.ask(options)
  local s = forge(options or {})
  s.conn = assert(s.host:connect_start(s.peer, 80))
  s.first = s.peer:expect { seq = 5000 }
  function s.answer(ace, ecn, more)
    s.peer:send {
      flags = M.flags("SA", ace), seq = 1000, ack = 5001, ecn = ecn, window = 65535,
      options = merged({ mss = 1000 }, more or {}),
    }
  end
  return s
end

--- ... and answers it: `ace` of the SYN-ACK (2 by default), its IP-ECN field, its options.
function M.active(options)
  options = options or {}
  local s = M.ask(options)
  s.answer(options.ace or 2, options.ecn, options.options)
  s.ack = s.peer:expect { seq = 5001, ack = 1001 }
  return s
end

return M
