-- Programs that know nothing of us, on the kernel's TCP.
local world = require "linux.world"

local M = {}

local function written(path, count)
  local file <close> = assert(io.open(path, "wb"))
  file:write(world.octets(0, 65521):rep(count // 65521 + 1):sub(1, count))
  return path
end

local function same(a, b) return (os.execute(("cmp '%s' '%s'"):format(a, b))) end

-- Files of the scene's own; gone with its mount namespace.
local function directory()
  world.sh "mkdir -p /run/scene"
  return "/run/scene"
end

local SERVED <const> = {
  tun = "tun", vxlan = "vxlan 192.0.2.1 192.0.2.2", rawip = "rawip 192.0.2.1:5000 192.0.2.2:5000",
}

--- curl fetches files from examples/http_server.lua, unchanged.
function M.curl_from_us(way, family)
  local dir = directory()
  written(dir .. "/big.bin", 3000000)
  local server = assert(io.popen(("lua5.4 examples/http_server.lua %s %s 2>&1 & echo $!"):format(SERVED[way],
    dir), "r"))
  local pid = assert(server:read "l"):match "^%d+$"
  local first = server:read "l"
  if not pid then pid, first = first, server:read "l" end
  world.holds(first, "http://10.99.0.1/")
  local prefix, kept = world.device(way)
  local base = family == "6" and "http://[fd99::1]" or "http://10.99.0.1"
  -- Two files over one connection, and one that is not there.
  world.sh(("%scurl -sS -g --max-time 30 -o %s/one %s/big.bin -o %s/two %s/big.bin"):format(prefix, dir, base,
    dir, base))
  assert(same(dir .. "/big.bin", dir .. "/one") and same(dir .. "/big.bin", dir .. "/two"))
  local pipe <close> = assert(io.popen(("%scurl -sS -g --max-time 30 -w '%%{http_code}' %s/none")
    :format(prefix, base)))
  world.holds(pipe:read "a", "no such file\n404")
  world.sh("kill " .. pid)
  return kept
end

local NGINX <const> = [[
daemon off;
error_log stderr;
pid /run/scene/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /run/scene;
  server { listen %s:8000; root /run/scene; }
}
]]

-- Commands that serve the directory on port 8000 of an address, and say a line or listen when they are ready.
local SERVERS <const> = {
  python3 = function(address, dir)
    return ("python3 -u -m http.server 8000 --bind %s --directory %s"):format(address:gsub("[%[%]]", ""), dir)
  end,
  nginx = function(address, dir)
    local config <close> = assert(io.open(dir .. "/nginx.conf", "w"))
    config:write("user root;\n", NGINX:format(address))
    return "nginx -e stderr -c /run/scene/nginx.conf"
  end,
}

--- We fetch a file from a web server on the kernel's TCP.
function M.fetch_from(program, way, family)
  local dir = directory()
  written(dir .. "/big.bin", 3000000)
  local w = world.open { way = way }
  local address = family == "6" and "[fd99::2]" or "10.99.0.2"
  local server = w:start(("sh -c '%s & echo pid $!; while ! ss -Htln sport = :8000 | grep -q .; "
    .. "do sleep 0.05; done; echo ready'"):format(SERVERS[program](address, dir)))
  local pid, said
  repeat
    said = assert(server.line(), program .. " has ended")
    pid = said:match "^pid (%d+)" or pid
  until said == "ready"
  w:run(function()
    local conn <close> = assert(w.host:connect(w:remote(tonumber(family)), 8000, { timeout = 10 }))
    conn:write "GET /big.bin HTTP/1.0\r\n\r\n"
    local status
    for line in conn:lines { timeout = 10 } do
      line = line:gsub("\r$", "")
      status = status or line
      if line == "" then break end
    end
    world.holds(status, "200 OK")
    assert(world.read(conn) == 3000000)
  end)
  w:settle(0.1)
  world.sh("kill " .. pid)
end

-- What comes to our port goes on to the kernel's, over a connection of its own, and back.
local function relay(w, port)
  w.net:spawn(function()
    local listener = assert(w.host:listen(port))
    while true do
      local a = assert(listener:accept())
      w.net:spawn(function()
        local b = w.host:connect(w:remote(4), port, { timeout = 10 })
        if not b then return a:abort() end
        local function carry(from, to)
          return function()
            while true do
              local piece = from:read(65536)
              if not piece or not to:write(piece) then break end
            end
            to:shutdown()
          end
        end
        w.net:spawn(carry(a, b))
        w.net:spawn(carry(b, a))
      end)
    end
  end)
end

-- Goes on until the command has left its mark.
local function run_command(w, command)
  local mark = "/run/scene/done"
  os.execute(("{ { timeout 40 %s; echo status $?; } >/run/scene/out 2>&1; touch %s; } &"):format(command,
    mark))
  local late = w.net:now() + 45
  repeat w.net:run { until_ = w.net:now() + 0.05 } until io.open(mark) or w.net:now() > late
  local file <close> = assert(io.open "/run/scene/out")
  return file:read "a"
end

--- iperf3, from the kernel through our relay to the kernel; `-R` the other way.
function M.iperf3(way, reverse)
  directory()
  local w = world.open { way = way, settings = { rto_min = 0.05 } }
  world.sh(w.prefix .. "iperf3 -s -D -1 -B 10.99.0.2")
  world.sh "sleep 0.3"
  relay(w, 5201)
  local said = run_command(w, w.prefix .. "iperf3 -c 10.99.0.1 -n 4M " .. (reverse and "-R" or ""))
  world.holds(said, "iperf Done.")
  world.holds(said, "status 0")
end

--- socat: a line there and back.
function M.socat(way)
  directory()
  local w = world.open { way = way }
  world.sh(w.prefix
    .. "sh -c 'socat TCP-LISTEN:7000,bind=10.99.0.2,reuseaddr EXEC:cat >/dev/null 2>&1 & sleep 0.3'")
  relay(w, 7000)
  local said = run_command(w,
    ("sh -c 'seq 1000 | %s socat -t5 - TCP:10.99.0.1:7000 | md5sum; seq 1000 | md5sum'")
    :format(w.prefix))
  local one, two = said:match "^(%x+)%s*%-?%s+(%x+)"
  assert(one and one == two, said)
end

local CAT <const> = {
  vxlan = "--framing vxlan --vni 7 --bind 192.0.2.1 192.0.2.2", -- whose ports are those of VXLAN
  rawip = "--framing rawip --bind 192.0.2.1:5000 192.0.2.2:5000",
  tun = "--tun tun7 10.99.0.2",
}

--- lunatcp cat and socat: a file there, and another back.
function M.cat(way, family)
  local dir = directory()
  written(dir .. "/there", 1000000)
  written(dir .. "/back", 700001)
  local six = family == "6"
  local ours, theirs = six and "fd99::1/64" or "10.99.0.1/24", six and "fd99::2" or "10.99.0.2"
  local target = CAT[way]:gsub("10%.99%.0%.2", theirs)
  if way == "tun" then
    world.sh [[ip tuntap add tun7 mode tun; ip addr add 10.99.0.2/24 dev tun7; ip link set tun7 up
               ip addr add fd99::2/64 dev tun7 nodad]]
  elseif way == "vxlan" then
    world.device(way)
  end
  local prefix = way ~= "tun" and "ip netns exec them " or ""
  world.sh(("%ssocat -t 20 'FILE:%s/back!!OPEN:%s/got_there,creat' TCP%s-LISTEN:7000,reuseaddr &")
    :format(prefix, dir, dir, six and 6 or 4))
  world.sh(("while ! %sss -Htln sport = :7000 | grep -q .; do sleep 0.05; done"):format(prefix))
  local pipe = assert(io.popen(("lua5.4 bin/lunatcp cat -w 10 --address %s --remote-address %s %s 7000 "
    .. "<%s/there 2>&1 >%s/got_back"):format(ours, theirs, target, dir, dir)))
  local kept
  if way == "rawip" then -- that socat wants our socket first
    world.sh "sleep 0.5"
    kept = select(2, world.device(way))
  end
  local said = pipe:read "a"
  assert(pipe:close(), said)
  assert(same(dir .. "/there", dir .. "/got_there") and same(dir .. "/back", dir .. "/got_back"))
  return kept
end

local SSHD <const> = [[
Port 2222
ListenAddress 10.99.0.2
HostKey /run/scene/host
AuthorizedKeysFile /run/scene/user.pub
PidFile /run/scene/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
]]

--- ssh: a command, a file there and a file back, with keys that are made for it and are gone with it.
function M.ssh(way)
  local dir = directory()
  local w = world.open { way = way }
  for _, name in ipairs { "host", "user" } do
    world.sh(("ssh-keygen -q -t ed25519 -N '' -f %s/%s"):format(dir, name))
  end
  world.sh "mkdir -p /run/sshd" -- where sshd locks itself in
  local config <close> = assert(io.open(dir .. "/config", "w"))
  config:write(SSHD)
  config:close()
  local known <close> = assert(io.open(dir .. "/known", "w"))
  local key <close> = assert(io.open(dir .. "/host.pub"))
  known:write("[10.99.0.1]:2222 ", key:read "l", "\n")
  known:close()
  world.sh(w.prefix .. "/usr/sbin/sshd -f /run/scene/config")
  written(dir .. "/big.bin", 1000000)
  relay(w, 2222)
  local function ssh(rest)
    os.remove "/run/scene/done"
    return run_command(w, ("%s sh -c 'ssh -F none -i %s/user -p 2222 -o BatchMode=yes -o ConnectTimeout=20 "
      .. "-o UserKnownHostsFile=%s/known -o GlobalKnownHostsFile=/dev/null root@10.99.0.1 %s'")
      :format(w.prefix, dir, dir, rest))
  end
  world.holds(ssh '"echo there: \\$SSH_CONNECTION"', "there: 10.99.0.1 ") -- our address, by our relay
  world.holds(ssh(('"cat %s/big.bin" >%s/back'):format(dir, dir)), "status 0")
  world.holds(ssh(('"cat >%s/there" <%s/big.bin'):format(dir, dir)), "status 0")
  world.sh "kill $(cat /run/scene/sshd.pid)"
  assert(same(dir .. "/big.bin", dir .. "/back") and same(dir .. "/big.bin", dir .. "/there"))
end

return M
