--- Congestion control in Lua.
--
--     tcp.congestion "mine" {
--       on_ack = function(cc, ack) cc.cwnd = cc.cwnd + ack.bytes_acked end,
--       on_loss = function(cc, flight) cc.ssthresh, cc.cwnd = flight // 2, flight // 2 end,
--     }
--     local host = net:host("a", { congestion = "mine" })
--
-- Each connection has an object `cc`: `cwnd`, `ssthresh` (octets) and `pacing_rate` (bits a second;
-- 0: none) can be read and set, `mss` and `initial_window` be read; every other field is the
-- script's own. Functions, each optional; what is left out is done as NewReno does it:
--
-- * `init(cc, now)`: the window is the initial one;
-- * `on_ack(cc, ack)`: octets were delivered; `ack` has the fields of struct ltcp_ack_sample
--   (core/include/lunatcp/congestion.h), times in seconds and nil where there is no sample, and
--   `delivery_rate` in bits a second;
-- * `on_rtt(cc, rtt, now)`: a sample of the RTT, before the `on_ack` it came with;
-- * `on_loss(cc, flight, now)`: loss recovery begins; `flight` is FlightSize (RFC 5681);
-- * `on_segment_lost(cc, loss)`: one segment was held to be lost, fields of struct ltcp_loss_sample;
-- * `on_ecn(cc, flight, now)`: congestion was experienced, at most once a window;
-- * `on_recovered(cc, now)`; `on_timeout(cc, flight, first, now)`; `on_idle(cc, now)`, after an idle
--   retransmission timeout; `on_restart(cc, app_limited, now)`, before data leaves with nothing in
--   flight; `on_undo(cc, cwnd, ssthresh, now)`, when the loss turned out to be none.
--
-- `ecn = "dctcp"` or `"l4s"` asks for marks to be counted (`ack.ce_bytes`) instead of `on_ecn`;
-- `own_recovery = true` keeps proportional rate reduction out.
--
-- The core calls these functions in the middle of its work: they cannot call into a network, and a
-- sample is over when they return. An error in one ends the run with its traceback.
-- @module lunatcp.congestion

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

--- Gives functions a name that the setting `congestion` can say. A name may be given again; what is
-- connected already goes on with what it began with.
-- @string name
-- @tparam[opt] table functions
-- @treturn function without `functions`: a function that takes them
function M.define(name, functions)
  check.type(name, "string", "congestion: name")
  if functions == nil then
    return function(given)
      check.type(given, "table", "congestion: functions")
      check.call(core.congestion, name, given)
    end
  end
  check.type(functions, "table", "congestion: functions")
  check.call(core.congestion, name, functions)
end

return M
