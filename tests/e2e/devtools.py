# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium's own network panel: the code of its DevTools, in a page that it serves itself."""

import asyncio
import contextlib
import json
import subprocess

import websockets

from lab import PATIENCE, wait_for

# What the panel makes of an archive, by the names that it has.
IMPORT = """
Promise.all([import('/devtools/models/har/har.js'), import('/devtools/core/platform/platform.js')])
.then(async ([har]) => {
  const log = new har.HARFormat.HARRoot(%s).log;
  const requests = har.Importer.Importer.requestsFromHARLog(log);
  return JSON.stringify(await Promise.all(requests.map(async request => ({
    url: request.url(), method: request.requestMethod, status: request.statusCode,
    protocol: request.protocol, mime: request.mimeType, address: request.remoteAddress(),
    size: request.resourceSize, transferred: request.transferSize,
    start: request.startTime, duration: request.duration,
    sent: request.requestHeaders().map(header => [header.name, header.value]),
    received: request.responseHeaders.map(header => [header.name, header.value]),
    form: await request.requestFormData(),
    content: await request.requestContentData().then(
        data => data.isTextContent ? data.text : data.base64),
    frames: request.frames().map(frame => [frame.type, frame.opCode, frame.text]),
  }))));
})
"""


@contextlib.contextmanager
def chromium(lab, folder):
    """A browser on the device; the address of a page of its own."""
    folder.mkdir()
    subprocess.run(["chown", "-R", "nobody:nogroup", folder], check=True)
    process = lab.device.spawn(
        "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=%s" % folder,
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir=%s/profile" % folder,
        "about:blank",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    port = folder / "profile/DevToolsActivePort"
    try:
        wait_for(lambda: port.exists() and port.read_text().count("\n") > 0, "Chromium", 30)
        yield port.read_text().split()
    finally:
        process.terminate()
        process.wait(timeout=20 * PATIENCE)


class Page:
    """Chrome DevTools Protocol, as far as we need it."""

    def __init__(self, socket):
        self.socket = socket
        self.last = 0

    async def do(self, method, session=None, **parameters):
        self.last += 1
        request = {"id": self.last, "method": method, "params": parameters}
        await self.socket.send(json.dumps({**request, "sessionId": session} if session else request))
        while True:
            answer = json.loads(await self.socket.recv())
            if answer.get("id") == self.last:
                assert "result" in answer, answer
                return answer["result"]


async def run_import(port, path, archive):
    async with websockets.connect("ws://127.0.0.1:%s%s" % (port, path), max_size=None) as socket:
        page = Page(socket)
        target = await page.do("Target.createTarget",
                               url="http://127.0.0.1:%s/devtools/inspector.html" % port)
        attached = await page.do("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        session = attached["sessionId"]
        for _ in range(100):
            here = await page.do("Runtime.evaluate", session, expression="location.href")
            if here["result"]["value"].startswith("http"):
                break
            await asyncio.sleep(0.1)
        result = await page.do("Runtime.evaluate", session, expression=IMPORT % archive, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return json.loads(result["result"]["value"])


def imported(lab, folder, archive):
    """The requests that Chromium's network panel shows of an archive, a text."""
    with chromium(lab, folder) as (port, path), lab.device.inside():
        return asyncio.run(asyncio.wait_for(run_import(port, path, archive), 60 * PATIENCE))
