-- You will see a web server on this TCP: `curl`, or any browser, fetches files from it.
-- Run it: ./dev run examples/http_server.lua (in virtual time), or for real programs, elsewhere
-- curl http://10.99.0.1/FILE, by a TUN device (as root) or a tunnel to a kernel's vxlan device or to socat:
--   sudo ./dev run examples/http_server.lua tun DIRECTORY
--   ./dev run examples/http_server.lua vxlan 192.0.2.1:4789 192.0.2.2:4789 DIRECTORY     (rawip likewise)
-- It plays RFC 9293 section 3.10 with RFC 9112, of which it speaks as much as GET and HEAD need.

local tcp = require "lunatcp"

local TYPES <const> = { html = "text/html", txt = "text/plain", lua = "text/plain", png = "image/png" }

local SOCKETS <const> = { virtual = 0, tun = 0, vxlan = 2, rawip = 2 } -- arguments that say where they are

local way = arg[1] or "virtual"
local sockets = SOCKETS[way]
if not sockets or #arg > 2 + sockets or (way ~= "virtual" and #arg < 1 + sockets) then
  io.stderr:write "usage: http_server.lua [tun [DIRECTORY] | vxlan|rawip BIND PEER [DIRECTORY]]\n"
  os.exit(1)
end
local directory = arg[2 + sockets] or "."

-- ---- the server -----------------------------------------------------------------------------------

-- The lines up to the empty one: the request's first line, and its fields by their names in small letters.
local function read_request(conn)
  local first, fields = nil, {}
  for line in conn:lines() do
    line = line:gsub("\r$", "")
    if line == "" then return first, fields end
    if not first then
      first = line
    else
      local name, value = line:match "^([^:%s]+):%s*(.-)%s*$"
      if name then fields[name:lower()] = value:lower() end
    end
  end
  return nil
end

-- What a path means below the directory; nil for what would lead out of it.
local function open_file(path)
  path = path:gsub("[?#].*", ""):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  if path:find("..", 1, true) or path:find "%z" then return nil end
  if path:sub(-1) == "/" then path = path .. "index.html" end
  local file = io.open(directory .. path, "rb")
  if not file then return nil end
  local size = file:seek "end"
  if not size or not file:seek "set" or (size > 0 and not file:read(0)) then return nil end -- a directory
  return file, size, TYPES[path:match "%.(%w+)$" or ""] or "application/octet-stream"
end

local function respond(conn, status, kind, length, keep)
  conn:write(("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n")
    :format(status, kind, length, keep and "keep-alive" or "close"), { more = length > 0 })
end

local function answer(conn, method, path, keep)
  if method ~= "GET" and method ~= "HEAD" then
    return respond(conn, "501 Not Implemented", "text/plain", 0, keep)
  end
  local file, size, kind = open_file(path)
  if not file then
    local text = "no such file\n"
    respond(conn, "404 Not Found", "text/plain", #text, keep)
    return method == "GET" and conn:write(text)
  end
  respond(conn, "200 OK", kind, size, keep)
  while method == "GET" do
    local piece = file:read(65536)
    if not piece or not conn:write(piece) then break end
  end
  file:close()
end

-- One connection: one request after the other, until one of both ends it.
local function serve(conn)
  local _ <close> = conn
  while true do
    local first, fields = read_request(conn)
    if not first then return end
    local method, path, version = first:match "^(%u+) (/%S*) HTTP/1%.(%d)$"
    if not method then return respond(conn, "400 Bad Request", "text/plain", 0, false) end
    local keep = fields.connection ~= "close" and (version == "1" or fields.connection == "keep-alive")
    answer(conn, method, path, keep)
    if not keep then return end
  end
end

local function server(net, host)
  local listener = assert(host:listen(80))
  while true do
    local conn = assert(listener:accept())
    net:spawn(function() pcall(serve, conn) end) -- a reset ends only its own connection
  end
end

-- ---- in virtual time --------------------------------------------------------------------------------

if way == "virtual" then
  local net = tcp.network { seed = 80 }
  local browser, www = net:host "browser", net:host "www"
  net:link(browser, www, { delay = 0.010, rate = 10e6 })
  directory = arg[0]:match "^(.*)/[^/]*$" or "."
  net:spawn(server, net, www)
  net:spawn(function()
    local conn <close> = assert(browser:connect(www, 80))
    conn:write "GET /echo.lua HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n"
    for line in conn:lines() do
      line = line:gsub("\r$", "")
      print(line)
      if line == "" then break end
    end
    local octets = 0
    for piece in conn:chunks() do octets = octets + #piece end
    print(("%d octets\n"):format(octets))
  end)
  net:run { until_ = 0.3 }
  print(net:ladder())
  os.exit(true, true)
end

-- ---- for real programs --------------------------------------------------------------------------------

local net = assert(tcp.network { clock = "real", seed = 80 })
local host = net:host("www", { profile = "linux" })
local options = { address = { "10.99.0.1/24", "fd99::1/64" }, remote_address = { "10.99.0.2", "fd99::2" } }
if way == "tun" then
  options.tun = "tun%d"
else
  options.framing, options.bind, options.peer = way, arg[2], arg[3]
  options.vni = way == "vxlan" and 7 or nil
end
local far, why = net:tunnel(host, options)
if not far then
  io.stderr:write("http_server: ", why, "\n")
  if way == "tun" then io.stderr:write "a TUN device takes Linux, /dev/net/tun and the rights of root\n" end
  os.exit(1)
end
local device = far.tunnel:name() or way
for _, command in ipairs { "addr add 10.99.0.2/24 dev %s", "addr add fd99::2/64 dev %s nodad",
  "link set %s up" } do
  assert(way ~= "tun" or os.execute("ip " .. command:format(device)))
end
print(("http://10.99.0.1/ and http://[fd99::1]/ are %s, by %s; end with Ctrl-C"):format(directory, device))
io.stdout:flush()
net:spawn(server, net, host)
net:run()
