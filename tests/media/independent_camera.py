"""An RTSP camera by GStreamer's own server, run by the distribution's Python: mounts of every codec that
we copy. It shares no code with the product, so that the pipeline is not tested against our own reading of
the protocol.
"""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")

from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = "videotestsrc is-live=1 pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
H264 = "x264enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=25"
H265 = "x265enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=25"
SOUND = "audiotestsrc is-live=1 wave=ticks ! audio/x-raw,rate={rate},channels=1"
MOUNTS = {
    "/h264": f"{PICTURE} ! {H264} ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "/h264-aac": f"{PICTURE} ! {H264} ! rtph264pay name=pay0 pt=96 config-interval=-1 "
    f"{SOUND.format(rate=16000)} ! avenc_aac bitrate=32000 ! rtpmp4gpay name=pay1 pt=97",
    "/h264-pcma": f"{PICTURE} ! {H264} ! rtph264pay name=pay0 pt=96 config-interval=-1 "
    f"{SOUND.format(rate=8000)} ! alawenc ! rtppcmapay name=pay1 pt=8",
    "/h265": f"{PICTURE} ! {H265} ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1",
    "/sound": f"{SOUND.format(rate=8000)} ! alawenc ! rtppcmapay name=pay0 pt=8",
}


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for path, pipeline in MOUNTS.items():
        add_mount(server, path, pipeline)
    if "guarded" in sys.argv:
        guard(server)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.timeout_add_seconds(1, exit_with_parent)
    GLib.MainLoop().run()


def add_mount(server: GstRtspServer.RTSPServer, path: str, pipeline: str) -> None:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {pipeline} )")
    factory.set_shared(True)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)


def guard(server: GstRtspServer.RTSPServer) -> None:
    """Digest accounts: admin with a password full of characters that addresses must encode."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    viewer = GstRtspServer.RTSPToken()
    viewer.set_string("media.factory.role", "viewer")
    auth.add_digest("admin", "p@ss:w/o#rd 'x'", viewer)
    server.set_auth(auth)


def exit_with_parent() -> bool:
    if os.getppid() == 1:
        os._exit(0)
    return True


if __name__ == "__main__":
    main()
