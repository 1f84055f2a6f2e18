---@meta lunatcp.core
-- Links and rules, segments, the trace and captures of `lunatcp.core`; conventions: core.meta.lua.

---@class lunatcp.core
local core = {}
---@class lunatcp.core.Network
local Network = {}

-- ---- links and rules ---------------------------------------------------------------------------

---@class lunatcp.core.Link
local Link = {}
---@return integer
function Link:id() end
---@return lunatcp.core.Network
function Link:network() end
---@return string
function Link:name() end
---The node at end 1 or 2; nil: the outside.
---@param which 1|2
---@return lunatcp.core.Node?
function Link:node(which) end
---Changes the keys that are given; the others, counters and what is under way stay.
---@param direction 1|2
---@param path lunatcp.core.Path
---@return true?, string? message, string? code
function Link:configure(direction, path) end
---@param direction 1|2
---@return lunatcp.core.Path every key, in Lua units
function Link:configuration(direction) end
---@param up boolean
---@param direction? 1|2 default: both
function Link:set_up(up, direction) end
---Of both interfaces.
---@param mtu integer
---@return true?, string? message, string? code
function Link:set_mtu(mtu) end
---Hosts forget their addresses on it and their routes over it: of a link that is not to be used after all.
function Link:withdraw() end
---packets bytes delivered delivered_bytes duplicated corrupted delayed queued_packets queued_bytes
---greatest_queue_packets greatest_queue_bytes marked, and dropped: {loss = n, ...} with every reason.
---queue: {kind, marked, early, early_ect, overflow, sojourn = {packets, mean, median, p99, greatest}} and how the
---algorithm stands: red: average probability; codel, fq_codel: dropping count; fq_codel: flows_new
---flows_old new_flows; pie: probability delay burst_allowance; dualpi2: probability base coupled delay
---classic_packets l4s_packets classic_bytes overloads overload_time overload_since (false: not now), and
---l4s = {marked, early, early_ect, bytes, sojourn} (the rest of its sojourn is the Classic queue's).
---@param direction 1|2
---@return table
function Link:counters(direction) end
---Puts an IP packet into a direction as if its sending end had sent it.
---@param direction 1|2
---@param packet string
---@return true?, string? message, string? code
function Link:inject(direction, packet) end
---Adds a rule behind the others. The first that matches and answers wins.
---@param rule lunatcp.core.Rule
---@return integer? id, string? message, string? code
function Link:rule(rule) end
---@param id integer
---@return boolean false: there is no such rule (any more)
function Link:remove_rule(id) end
---@param id integer
---@return integer? matched, integer? answered
function Link:rule_counts(id) end

---Which packets, and what becomes of them. All of drop, delay, duplicate, corrupt absent: they pass
---untouched. `ask` excludes the other actions.
---@class lunatcp.core.Rule
---@field direction? 1|2 default: both
---@field flags? string|lunatcp.core.Flags|table<string, boolean> all of these are set; in a table, false: not set
---@field without? string none of these is set
---@field length_min? integer of the TCP payload
---@field length_max? integer 0: only segments without payload
---@field source_port? integer
---@field destination_port? integer
---@field seq? integer the segment holds this octet
---@field ack? integer its acknowledgment field
---@field first? boolean true: none of its octets was on this link before; false: some were
---@field tcp? boolean only TCP; implied by the fields above
---@field nth? integer only the n-th match, from 1
---@field every? integer each n-th match
---@field times? integer at most so many matches
---@field chance? number probability
---@field drop? boolean
---@field delay? number seconds, on top of the link's
---@field duplicate? integer further copies; true: 1
---@field duplicate_delay? number seconds, of the copies, on top of delay
---@field corrupt? integer burst of so many bits; true: 1
---@field mark? boolean set CE, if the packet is ECN-capable
---@field ask? fun(segment: lunatcp.core.Segment): lunatcp.core.Verdict

---nil: no answer, later rules are asked. "pass": goes on untouched. "drop". "mark": CE is set.
---@alias lunatcp.core.Verdict nil|"pass"|"drop"|"mark"|lunatcp.core.Fate
---@class lunatcp.core.Fate
---@field drop? boolean
---@field delay? number
---@field duplicate? integer|boolean
---@field duplicate_delay? number
---@field corrupt? integer|boolean
---@field mark? boolean

-- ---- segments ----------------------------------------------------------------------------------

---A set of TCP flags: one object for each set, so == compares. Fields fin syn rst psh ack urg ece cwr ae
---are booleans; tostring and .. give the letters, # the number of flags.
---@class lunatcp.core.Flags
---@field fin boolean
---@field syn boolean
---@field rst boolean
---@field psh boolean
---@field ack boolean
---@field urg boolean
---@field ece boolean
---@field cwr boolean
---@field ae boolean
---@field bits integer

---Of letters "SA", of a table {syn = true, ack = true}, or of bits.
---@param flags string|table|integer|lunatcp.core.Flags
---@return lunatcp.core.Flags
function core.flags(flags) end

---What an ask rule sees: fields are read when they are asked for. One object a network: after the hook
---any access raises "segment view used after its hook returned". The fields are those of Packet, and:
---@class lunatcp.core.Segment: lunatcp.core.Packet
---@field time number
---@field first boolean none of its octets was on this link before
---@field notes table<string, boolean> retransmission duplicate corrupted delayed forged ce_marked probe
---@field link integer number of the link
---@field direction 1|2
---@field packet_id integer
local Segment = {}
---A Packet table that stays, with time, first, notes, link and direction.
---@return lunatcp.core.Packet
function Segment:copy() end
---@return string the whole IP packet
function Segment:bytes() end

---@class lunatcp.core.Packet
---@field version 4|6
---@field source string address
---@field destination string
---@field final_destination? string where a source route that is not used up leads in the end
---@field ttl integer
---@field dscp integer
---@field ecn integer 0..3
---@field ip_id integer IPv4
---@field flow_label integer IPv6
---@field dont_fragment boolean
---@field more_fragments boolean
---@field fragment_offset integer bytes
---@field ip_header_length integer
---@field total_length integer
---@field ip_options string
---@field protocol "tcp"|"icmp"|"icmpv6"|integer
---@field ip_checksum? integer IPv4
---@field ip_checksum_ok? boolean IPv4
---@field source_port? integer TCP from here on
---@field destination_port? integer
---@field seq? integer
---@field ack? integer the field, also where A is not set
---@field flags? lunatcp.core.Flags
---@field flag_letters? string "SA"
---@field window? integer the raw field
---@field urgent? integer the urgent pointer
---@field reserved? integer
---@field header_length? integer of TCP
---@field checksum? integer
---@field checksum_ok? boolean nil when it could not be verified (quoted)
---@field options? lunatcp.core.Options
---@field payload? string what of it is there
---@field length? integer of the payload, by the headers
---@field segment_length? integer SEG.LEN: payload, SYN and FIN each one
---@field icmp? {kind: string, type: integer, code: integer, mtu: integer?, pointer: integer?, echo_id: integer?, echo_seq: integer?, quote: string}

---An array in wire order and, by name, the values: mss = 1460, window_scale = 7, sack_permitted = true,
---sack = {{left =, right =}, ...}, timestamps = {value =, echo =}, user_timeout = raw 16 bits, md5 =
---bytes, ao = bytes, fast_open = cookie, accecn = {kind =, counters...}.
---@class lunatcp.core.Options
---@field [integer] lunatcp.core.Option
---@field mss? integer
---@field window_scale? integer
---@field sack_permitted? true
---@field sack? {left: integer, right: integer}[]
---@field timestamps? {value: integer, echo: integer}
---@field user_timeout? integer
---@field md5? string
---@field ao? string
---@field fast_open? string
---@field fast_open_experimental? true by kind 254
---@field accecn? table
---@field malformed? true a known kind with a length that is not its own
---@field repeated? true a known kind more than once: the last one is given

---@class lunatcp.core.Option
---@field kind integer
---@field name? string "end" "nop" "mss" "window_scale" "sack_permitted" "sack" "timestamps" "md5" "user_timeout" "ao" "fast_open" "accecn0" "accecn1" "experiment1" "experiment2"; nil: unknown
---@field data string octets behind kind and length
---@field value? integer mss, window_scale, user_timeout; timestamps: TSval
---@field echo? integer timestamps: TSecr
---@field blocks? {left: integer, right: integer}[] sack

---Takes an IP packet apart. Whatever is wrong with it: the table as far as it could be read (maybe empty),
---a message, and the status ("LTCP_ERR_CHECKSUM", "LTCP_ERR_OPTION_LENGTH", ...).
---`quoted`: it is cut short (a quote inside ICMP, a trace record); checksums are not verified.
---@param packet string
---@param options? {quoted: boolean?}
---@return lunatcp.core.Packet packet, string? message, string? status
function core.decode(packet, options) end

---Makes an IP packet. source, destination are required. What is left out: ports 0, seq 0, ack 0, flags "",
---window 65535, ttl 64, Don't Fragment set, checksums computed. To forge: checksum, ip_checksum,
---header_length (data offset, bytes), total_length, reserved. `options`: an array of {kind = or name =,
---value..., data =, length = (to forge)} or names such as "nop", written as it stands and padded with
---END; or values by name ({mss = 1460, timestamps = {value =, echo =}}) in the usual order; or the raw
---bytes. A table that decode made is understood (flag_letters, options by name and what else follows from
---the rest are passed over). Raises EINVAL-like errors as wrong arguments.
---@param fields table
---@return string packet
function core.encode(fields) end

-- ---- trace -------------------------------------------------------------------------------------

---@class lunatcp.core.TraceEvent
---@field serial integer one count over events and packets, from 1
---@field time number
---@field kind string "state" "timeout" "fast_retransmit" "recovered" "probe" "challenge" "urgent" "rtt" "refused" "icmp" "remark" "detail" "invariant"
---@field host integer number of the node
---@field subject integer handle of the connection, 0: none
---@field from? string state
---@field to? string state
---@field value? number|integer timeout: the new RTO in seconds; rtt: seconds; fast_retransmit: sequence number; probe: how many; challenge: 1 when withheld; urgent: octets
---@field icmp? string kind of ICMP message
---@field status? string "LTCP_ERR_RESET": closed, refused
---@field message? string of the status
---@field code? string of the status
---@field text? string invariant; remark and detail: what was done; probe: "zero window" "keep-alive" "tail loss"
---@field remark? string which one, by core.REMARKS; its numbers are fields of their own, as docs/trace.md lists them

---@class lunatcp.core.TracePacket
---@field serial integer
---@field time number
---@field kind "sent"|"delivered"|"dropped"
---@field reason? string why it was dropped
---@field link integer
---@field direction 1|2
---@field packet integer number of the packet
---@field length integer of the whole IP packet
---@field notes table<string, boolean>
---@field head string first bytes
---@field segment lunatcp.core.Packet decoded from the head; payload is what the head holds of it

---Records with a serial >= `since` (default 1), oldest first.
---@param since? integer
---@return fun(): lunatcp.core.TraceEvent?
function Network:trace_events(since) end
---@param since? integer
---@return fun(): lunatcp.core.TracePacket?
function Network:trace_packets(since) end
---Of the newest record, 0: none.
---@return integer
function Network:trace_serial() end
---@param kinds string[] kinds of record to keep, also "events" and "packets" for all of them
function Network:set_trace_kinds(kinds) end
---@return string[]
function Network:trace_kinds() end
function Network:clear_trace() end

-- ---- captures ----------------------------------------------------------------------------------

---@class lunatcp.core.CaptureOptions
---@field path? string a file to write; its failure to open is nil, message, CODE
---@field file? file* or an open file; it is not closed
---@field view? "sender"|"receiver" where the taps are. "sender" (default): every packet once, as it was sent, with a comment on what became of it. "receiver": as it arrived or was lost on the way
---@field limit? integer packets that may wait to be written, default 65536
---@field most? integer octets kept in memory: what would go beyond is left out, and all that follows

---Writes all that links carry from here on, as pcapng with nanoseconds and comments, while step runs.
---Without path and file it is kept in memory for Capture:take.
---@param options? lunatcp.core.CaptureOptions
---@return lunatcp.core.Capture?, string? message, string? code
function Network:capture(options) end

---@class lunatcp.core.Capture
local Capture = {}
---Writes what waits.
---@return true?, string? message, string? code
function Capture:flush() end
---What was captured in memory since the last call.
---@return string
function Capture:take() end
---@return integer packets so far, with those whose fate is not known yet
function Capture:packets() end
---@return integer packets that found no room
function Capture:missed() end
---What a link does, as its interface's description in the file; nothing when that stands there already.
---@param link lunatcp.core.Link
---@param text string
---@return true?, string? message, string? code
function Capture:describe(link, text) end
---What it has done by now: a block of statistics, packets and drops, with a comment. Call it last: what was
---held back until its fate is known is written before.
---@param link lunatcp.core.Link
---@param text string
---@return true?, string? message, string? code
function Capture:statistics(link, text) end
---Completes the file. Idempotent; gives the first failure to write.
---@return true?, string? message, string? code
function Capture:close() end

return core
