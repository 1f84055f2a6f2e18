---@meta lunatcp.core
-- The socket layer of `lunatcp.core`: the calls that programs know TCP by, with Linux's errno,
-- options, readiness and TCP_INFO, over one host. What each call takes and gives stands at the top
-- of bindings/socket.c. Numbers are Linux's; integers among the arguments may be names of constants
-- joined by "|".

---@class lunatcp.core
---@field socket_constants table<string, integer> "SOL_TCP" and the like
---@field socket_errno table<string, integer> "EAGAIN" and the like
---@field socket_errno_text table<string, string> what strerror says

---@class lunatcp.core.SocketsOptions
---@field first? integer lowest descriptor that is given out; default 3
---@field most? integer descriptors are below it; default 1024
---@field not_sent_low? integer TCP_NOTSENT_LOWAT of sockets that set none (the sysctl tcp_notsent_lowat); default 0: none

---@class lunatcp.core.SocketAddress
---@field family? string|integer "AF_INET", "AF_INET6"; default by the address's text
---@field address? string
---@field port? integer
---@field length? integer octets of the struct; default what the family's has

---@class lunatcp.core.Sockets
local Sockets = {}

---Starts a call and steps it once. A call of the wrong shape raises; one that fails says so in its
---result.
---@param name string "socket", "recvmsg", ...
---@param ... any
---@return lunatcp.core.Call
function Sockets:call(name, ...) end
---What is true of a descriptor now, without a call.
---@param fd integer
---@return integer bits POLLIN ...; POLLNVAL when it is not open
function Sockets:poll(fd) end
---TCP_INFO by the names of its fields, without "tcpi_"; also of a socket that is not connected.
---@param fd integer
---@return table<string, integer>?
---@return string? message
---@return string? code
function Sockets:tcp_info(fd) end
---The engine's own view of the connection or listener behind a descriptor.
---@param fd integer
---@return lunatcp.core.Info?
function Sockets:info(fd) end
---@return integer[] open descriptors, ascending
function Sockets:descriptors() end
---@param from integer
---@param to integer a number that is not open
---@return true?
---@return string? message
---@return string? code
function Sockets:renumber(from, to) end
---Time has passed: looks at what has become of the connections, so that epoll has its edges.
function Sockets:advance() end
---Takes all events of the host: the socket layer looks at state and needs none of them.
---@return boolean any
function Sockets:drain() end
---Closes every descriptor, as the end of a process does.
function Sockets:close() end

---@class lunatcp.core.Call
local Call = {}

---@return boolean
function Call:done() end
---Goes on with a call that would have blocked.
---@return boolean done
function Call:step() end
---@return number? seconds it ends by itself then: step it
function Call:deadline() end
---@return integer? value -1 when the call failed, nil while it is not done
---@return string? code "EAGAIN"
---@return string? message
---@return table? outputs what it filled in
function Call:result() end
