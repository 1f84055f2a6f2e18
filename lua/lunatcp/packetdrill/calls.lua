--- System calls of a script, on the socket layer: arguments there, results and what was filled in back.
--
-- A rule takes the call's arguments and gives the arguments for `sockets:call` and, where there is more to
-- look at than the number returned, a check of the outputs.
-- @module lunatcp.packetdrill.calls

local core = require "lunatcp.core"
local values = require "lunatcp.packetdrill.values"

local M = {}

local number <const>, boxed <const> = values.number, values.boxed
local NO_DESCRIPTOR <const> = 1 << 20 -- no table is that long: EBADF

-- ---- descriptors ------------------------------------------------------------------------------

-- The live descriptor of the script's; those that are closed stay invalid whoever gets their number.
local function live(run, expression)
  local script = number(expression, "descriptor")
  local known = run.descriptors[script]
  if known then return known.closed and NO_DESCRIPTOR or known.live end
  return script < 0 and script or NO_DESCRIPTOR
end

local function entry(run, expression) return run.descriptors[number(expression, "descriptor")] end

-- ---- expectations of what is filled in --------------------------------------------------------

local function differs(what, expected, got)
  return ("%s: expected %s, got %s"):format(what, tostring(expected), tostring(got))
end

local function check_value(expression, out, what)
  if values.is_ellipsis(expression) or values.is_null(expression) then return nil end
  local linger = values.struct(expression, "linger")
  if linger then
    local on, time = number(linger.onoff, "onoff"), number(linger.linger, "linger")
    local got = out.linger or {}
    local got_on = got.onoff == true and 1 or got.onoff == false and 0 or got.onoff
    if got_on ~= on then return differs("l_onoff", on, got_on) end
    if got.linger ~= time then return differs("l_linger", time, got.linger) end
    return nil
  end
  if expression.type == "string" then
    local text = (out.data or ""):match "^[^\0]*"
    if text == expression.text then return nil end
    return differs(what, ("%q"):format(expression.text), ("%q"):format(text))
  end
  local expected = boxed(expression, what)
  local got = out.value
  if got ~= expected and (got == nil or (got & 0xffffffff) ~= (expected & 0xffffffff)) then
    return differs(what, expected, got)
  end
end

-- ---- opening ----------------------------------------------------------------------------------

local RULES <const> = {}

function RULES.socket(run, a)
  local default = run.config.socket_family == 4 and "AF_INET" or "AF_INET6"
  local domain = values.is_ellipsis(a[1]) and core.socket_constants[default] or number(a[1], "domain")
  return { domain, number(a[2], "type"), number(a[3], "protocol") }
end

function RULES.bind(run, a) return { live(run, a[1]), values.address(a[2], run.near_address) } end
function RULES.listen(run, a) return { live(run, a[1]), number(a[2], "backlog") } end
function RULES.connect(run, a) return { live(run, a[1]), values.address(a[2], run.far_address) } end

local function check_peer(run)
  return function(out, _, fd)
    if run:accepted(fd) then return nil end
    return ("the accepted connection comes from port %s, which is none of the script's"):format(
      out.address and out.address.port)
  end
end

function RULES.accept(run, a) return { live(run, a[1]) }, check_peer(run) end
function RULES.accept4(run, a) return { live(run, a[1]), number(a[4], "flags") }, check_peer(run) end

local function name_rule(run, a)
  return { live(run, a[1]) }, function(out)
    local wanted = values.struct(a[2], "sockaddr")
    if not wanted then return nil end
    if not out.address or out.address.port ~= wanted.port then
      return differs("port", wanted.port, out.address and out.address.port)
    end
    if out.address.address ~= wanted.address then
      return differs("address", wanted.address, out.address.address)
    end
  end
end
RULES.getsockname, RULES.getpeername = name_rule, name_rule

-- ---- data -------------------------------------------------------------------------------------

-- What is written: so many zero octets, or a text. A NULL pointer stays one.
local function data(buffer, count)
  if values.is_null(buffer) then return { null = count } end
  if buffer and buffer.type == "string" then
    return (buffer.text .. ("\0"):rep(count - #buffer.text)):sub(1, count)
  end
  return count
end

local function room(buffer, count) return values.is_null(buffer) and { null = count } or count end

local function count_of(expression)
  local count = number(expression, "length")
  if count < 0 or count > 0x7fffffff then values.fail("length: %d is out of range", count) end
  return count
end

function RULES.write(run, a) return { live(run, a[1]), data(a[2], count_of(a[3])) } end
function RULES.send(run, a)
  return { live(run, a[1]), data(a[2], count_of(a[3])), number(a[4], "flags") }
end
function RULES.sendto(run, a)
  return { live(run, a[1]), data(a[2], count_of(a[3])), number(a[4], "flags"),
    values.address(a[5], run.far_address) }
end
function RULES.read(run, a) return { live(run, a[1]), room(a[2], count_of(a[3])) } end
function RULES.recv(run, a)
  return { live(run, a[1]), room(a[2], count_of(a[3])), number(a[4], "flags") }
end
RULES.recvfrom = RULES.recv

function RULES.writev(run, a) return { live(run, a[1]), values.lengths(a[2], "iovec") } end
function RULES.readv(run, a) return { live(run, a[1]), values.lengths(a[2], "iovec") } end

local function message(expression)
  local fields = values.struct(expression, "msghdr")
  if not fields then values.fail "expected a msghdr" end
  return fields, values.lengths({ type = "list", items = fields.msg_iov }, "msg_iov")
end

function RULES.sendmsg(run, a)
  local fields, lengths = message(a[2])
  local address = fields.msg_name and values.address(fields.msg_name, run.far_address) or nil
  return { live(run, a[1]), lengths, number(a[3], "flags"), address }
end

local CONTROL_ROOM <const> = 4096

local function check_controls(expected, got)
  if #expected ~= #got then return differs("number of control messages", #expected, #got) end
  for i, item in ipairs(expected) do
    local fields = values.struct(item, "cmsg")
    if not fields then values.fail "msg_control: expected {cmsg_level=, cmsg_type=, cmsg_data=}" end
    for _, name in ipairs { "level", "type" } do
      local wanted = number(fields["cmsg_" .. name], "cmsg_" .. name)
      if got[i][name] ~= wanted then return differs("cmsg_" .. name, wanted, got[i][name]) end
    end
    if fields.cmsg_data.type == "struct" then
      return ("control messages of kind %s are not made here"):format(fields.cmsg_data.name)
    end
    local wanted = boxed(fields.cmsg_data, "cmsg_data")
    if got[i].value ~= wanted then return differs("cmsg_data", wanted, got[i].value) end
  end
end

function RULES.recvmsg(run, a)
  local fields, lengths = message(a[2])
  local control_room = fields.msg_control and CONTROL_ROOM or 0
  return { live(run, a[1]), lengths, number(a[3], "flags"), control_room }, function(out)
    local flags = number(fields.msg_flags, "msg_flags")
    if (out.flags or 0) ~= flags then return differs("msg_flags", flags, out.flags or 0) end
    return check_controls(fields.msg_control or {}, out.controls or {})
  end
end

-- ---- closing, options -------------------------------------------------------------------------

function RULES.close(run, a) return { live(run, a[1]) } end
function RULES.shutdown(run, a) return { live(run, a[1]), number(a[2], "how") } end

function RULES.fcntl(run, a)
  return { live(run, a[1]), number(a[2], "command"), a[3] and number(a[3], "argument") or nil }
end

function RULES.ioctl(run, a)
  local setting = a[3] and not values.is_ellipsis(a[3]) and boxed(a[3], "value") or nil
  return { live(run, a[1]), number(a[2], "request"), setting }, function(out)
    if a[3] then return check_value(a[3], out, "value") end
  end
end

function RULES.getsockopt(run, a)
  local length = a[5] and not values.is_ellipsis(a[5]) and boxed(a[5], "length") or 4
  return { live(run, a[1]), number(a[2], "level"), number(a[3], "option"), length }, function(out)
    local problem = check_value(a[4], out, "value")
    if problem then return problem end
    if a[5] and a[5].type == "list" and out.length ~= length then
      return differs("length", length, out.length)
    end
  end
end

-- Keys of fast open are written as words of hexadecimal digits.
local function octets_of_key(text)
  local hex = text:gsub("[%-,]", "")
  if #hex % 2 == 1 or hex:find "%X" then return text end
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

function RULES.setsockopt(run, a)
  local option = number(a[3], "option")
  local length = a[5] and not values.is_ellipsis(a[5]) and number(a[5], "length") or nil
  local value
  local linger = values.struct(a[4], "linger")
  if linger then
    value = { onoff = number(linger.onoff, "onoff"), linger = number(linger.linger, "linger") }
  elseif a[4] and a[4].type == "string" then
    value = option == core.socket_constants.TCP_FASTOPEN_KEY and octets_of_key(a[4].text) or a[4].text
  else
    value = boxed(a[4], "value")
  end
  return { live(run, a[1]), number(a[2], "level"), option, value, length }
end

-- ---- readiness --------------------------------------------------------------------------------

function RULES.poll(run, a)
  local polls, expected = {}, {}
  for i, item in ipairs(values.items(a[1], "poll")) do
    local fields = values.struct(item, "pollfd")
    if not fields then values.fail "poll: expected {fd=, events=, revents=}" end
    polls[i] = { fd = live(run, fields.fd), events = number(fields.events, "events") }
    expected[i] = fields.revents and number(fields.revents, "revents") or 0
  end
  return { polls, number(a[3], "timeout") }, function(out)
    for i, wanted in ipairs(expected) do
      local got = out.polls and out.polls[i] and out.polls[i].revents or 0
      if got ~= wanted then return differs("revents", ("0x%x"):format(wanted), ("0x%x"):format(got)) end
    end
  end
end

function RULES.epoll_create(_, a) return { number(a[1], "size") } end

local function epoll_fields(expression)
  local fields = values.struct(expression, "epoll_event")
  if not fields then values.fail "expected {events=, fd=|ptr=|u32=|u64=}" end
  return number(fields.events, "events") & 0xffffffff, number(fields.data, "data"), fields.kind
end

function RULES.epoll_ctl(run, a)
  local event
  if a[4] and not values.is_null(a[4]) then
    local events, tag = epoll_fields(a[4])
    event = { events = events, data = tag }
  end
  return { live(run, a[1]), number(a[2], "operation"), live(run, a[3]), event }
end

function RULES.epoll_wait(run, a)
  return { live(run, a[1]), number(a[3], "maxevents"), number(a[4], "timeout") }, function(out, result)
    if result < 1 then return nil end
    local first = a[2].type == "list" and a[2].items[1] or a[2]
    local events, tag, kind = epoll_fields(first)
    local got = out.events and out.events[1] or {}
    if got.events ~= events then
      return differs("events", ("0x%x"):format(events), ("0x%x"):format(got.events or 0))
    end
    if got.data ~= tag then return differs(kind, tag, got.data) end
  end
end

function RULES.pipe(run, a)
  local ends = values.items(a[1], "pipe")
  return {}, function(out)
    for i = 1, 2 do run:opened(number(ends[i], "descriptor"), out.fds[i], "pipe") end
  end
end

function RULES.splice(run, a)
  return { live(run, a[1]), live(run, a[3]), count_of(a[5]), number(a[6], "flags") }
end

-- ---- the rules as one -------------------------------------------------------------------------

--- Arguments that a call must have, beside those that may be left out.
local LEAST <const> = {
  socket = 3, bind = 3, listen = 2, accept = 1, accept4 = 4, connect = 3, getsockname = 1, getpeername = 1,
  read = 3, readv = 3, recv = 4, recvfrom = 4, recvmsg = 3,
  write = 3, writev = 3, send = 4, sendto = 6, sendmsg = 3,
  fcntl = 2, ioctl = 2, close = 1, shutdown = 2, getsockopt = 5, setsockopt = 5, poll = 3, epoll_create = 1,
  epoll_ctl = 3, epoll_wait = 4, pipe = 1, splice = 6,
}
-- Known to packetdrill, and why they are not here.
local ABSENT <const> = {
  open = "there are no files here", sendfile = "there are no files here",
  cap_set = "there are no capabilities here", psp_rx_assoc = "PSP is not implemented",
  psp_tx_assoc = "PSP is not implemented",
}
local OPENS <const> = { socket = true, accept = true, accept4 = true, epoll_create = true }
M.OPENS = OPENS

--- Begins a call.
-- @tparam table run
-- @tparam table call as parsed
-- @treturn table the call of the socket layer, or nil, message
-- @treturn function check of the outputs, may be nil
function M.begin(run, call)
  local rule = RULES[call.name]
  if not rule then
    return nil, ABSENT[call.name] and ("%s: %s"):format(call.name, ABSENT[call.name])
      or ("unknown system call %s"):format(call.name)
  end
  if #call.arguments < LEAST[call.name] then
    return nil, ("%s needs %d arguments, got %d"):format(call.name, LEAST[call.name], #call.arguments)
  end
  local ok, arguments, check = pcall(rule, run, call.arguments)
  if not ok then
    if type(arguments) == "table" and arguments.call_problem then return nil, arguments.call_problem end
    error(arguments, 0)
  end
  local made
  ok, made = pcall(run.sockets.call, run.sockets, call.name, table.unpack(arguments, 1, 6))
  if not ok then return nil, tostring(made):gsub("^[^:]*:%d+: ", "") end
  return made, check
end

--- The number that a call must return, and what of errno.
function M.expected(call)
  local ok, value = pcall(number, call.result, "result")
  if not ok then return nil end -- `...`, or what cannot be a number: not looked at
  return value, call.errno
end

local function shown(result, code, text)
  if code then return ("%d %s (%s)"):format(result, code, text or "") end
  return tostring(result)
end

--- Compares what a call returned with what the script says: nil, or what is wrong.
-- @tparam table run
-- @tparam table call
-- @tparam table made the call of the socket layer, done
-- @tparam[opt] function check
function M.compare(run, call, made, check)
  local result, code, text, out = made:result()
  local expected, errno = M.expected(call)
  if OPENS[call.name] and expected and expected >= 0 and result >= 0 then
    run:opened(expected, result, call.name, out and out.address)
  elseif expected and result ~= expected then
    return ("it returned %s instead of %s"):format(shown(result, code, text), shown(expected, errno))
  end
  if errno and core.socket_errno[errno] ~= core.socket_errno[code or ""] then
    if not core.socket_errno[errno] then return "unknown error name " .. errno end
    return ("it failed by %s instead of %s"):format(code or "nothing", errno)
  end
  if not check or result < 0 then return nil end
  local ok, problem = pcall(check, out or {}, result, expected)
  if not ok then
    if type(problem) == "table" and problem.call_problem then return problem.call_problem end
    error(problem, 0)
  end
  return problem
end

M.entry = entry

return M
