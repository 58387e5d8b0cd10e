"""The texts of causes.py: what can go wrong with a camera or its footage, in the words that a person reads.
Only words; facts stand in braces and are filled in by Cause.told.
"""

# (code, stream state, headline, body, sentence for the timeline, form field, whether capture goes on trying)
# fmt: off
TEXTS: tuple[tuple[str, str, str, str, str, str | None, bool], ...] = (
    # Seen while connecting; also the results of a check (in the order in which a check meets them).
    (
        "badurl", "refused",
        "This does not look like an address",
        "Examples: 192.168.1.44 · rtsp://192.168.1.44/stream1",
        "camera not captured - its address cannot be read",
        "url", False
    ),
    (
        "outside", "refused",
        "This address is outside the camera networks",
        "Cameras may only be reached in the networks that this installation allows (CAMERA_NETWORK and "
        "TAILSCALE_NETWORK). Ask whoever runs the server to add the network.",
        "camera not captured - its address is not allowed",
        "url", True
    ),
    (
        "redirected", "refused",
        "The camera sends us to another address",
        "Its answer leads to a place that is not this camera, which we do not follow. Look up the address of "
        "the stream in the camera's or recorder's settings and enter that one.",
        "camera refused - it redirects to another address",
        "url", True
    ),
    (
        "sealed", "refused",
        "The stored password cannot be read",
        "SECRET_KEY of this system has changed since it was stored. Edit the camera and enter its password "
        "again.",
        "camera not captured - its stored password cannot be read",
        "password", False
    ),
    (
        "dns", "offline",
        "The name {host} was not found",
        "Use the IP address instead, or check how the name is spelt.",
        "camera offline - its name was not found",
        "url", True
    ),
    (
        "noroute", "offline",
        "The camera does not answer",
        "{address} cannot be reached. Check power and cable, and that the server is in the same network.",
        "camera offline - does not answer",
        "url", True
    ),
    (
        "refused", "offline",
        "The camera is there, but {port} is closed",
        "RTSP may be switched off, or listen on another port. Open the camera's network settings.",
        "camera offline - its RTSP port is closed",
        "url", True
    ),
    (
        "notrtsp", "offline",
        "Something answers, but it is not RTSP",
        "Port 80 is usually the camera's web page. Try port 554.",
        "camera offline - the answer is not RTSP",
        "url", True
    ),
    (
        "silent", "offline",
        "The camera took the call but says nothing",
        "Restart the camera; too many viewers at once can do this.",
        "camera offline - accepts the connection and says nothing",
        None, True
    ),
    (
        "auth", "refused",
        "Wrong user name or password",
        "The address is right, but the camera refused {user} with this password. Many cameras lock for 30 "
        "minutes after about 5 wrong tries: we do not try again until you change it.",
        "camera refused - wrong user name or password",
        "password", False
    ),
    (
        "locked", "refused",
        "The camera may have locked this account",
        "The login worked before. Wait 30 minutes or restart the camera, then check once. We try again "
        "rarely, so as not to keep it locked.",
        "camera refused - it may have locked the account",
        "password", True
    ),
    (
        "forbidden", "refused",
        "{user} may not watch this camera",
        "The login is right. Give it live-view rights in the camera, or use another user.",
        "camera refused - the user may not watch it",
        "username", True
    ),
    (
        "path", "refused",
        "The login is right, but this stream path does not exist",
        "Choose the make, or paste the link from the camera's manual. A camera that is starting up answers "
        "so for a while: we go on trying.",
        "camera refused - the stream path does not exist",
        "url", True
    ),
    (
        "busy", "refused",
        "The camera has no free connection",
        "It allows only a few viewers. Close others, or use the second stream.",
        "camera refused - no free connection",
        None, True
    ),
    (
        "transport", "offline",
        "The video does not come through",
        "The camera accepts the call, but no picture arrives over TCP. Allow RTSP over TCP in the camera; a "
        "firewall may block it.",
        "camera offline - no video comes through",
        None, True
    ),
    (
        "tls", "refused",
        "The camera's certificate is not trusted",
        "Give the camera a certificate that this server trusts, or use rtsp:// inside a closed network.",
        "camera refused - its certificate is not trusted",
        "url", True
    ),
    (
        "novideo", "refused",
        "This link has sound only",
        "Choose the main stream of the camera.",
        "camera refused - the link has no video",
        "url", True
    ),
    (
        "mjpeg", "refused",
        "Old picture format",
        "The camera sends single JPEG pictures on this link. Set H.264 or H.265 in the camera.",
        "camera refused - the format is not H.264 or H.265",
        "url", True
    ),
    (
        "format", "refused",
        "The picture format cannot be recorded",
        "Set H.264 or H.265 in the camera.",
        "camera refused - the format is not H.264 or H.265",
        "url", True
    ),
    (
        "codec", "live",
        "Recording works, but some screens cannot show this",
        "The camera sends H.265. Set H.264 in the camera, or let the server convert it for live view (uses "
        "about one core).",
        "H.265: some screens cannot show it",
        None, True
    ),
    (
        "keyframes", "live",
        "Live will start slowly",
        "The camera sends a full picture only every {seconds} seconds. Set its key-frame interval to 1-2 "
        "seconds and switch off H.264+ or H.265+.",
        "few full pictures",
        None, True
    ),
    (
        "sound", "live",
        "The sound is converted",
        "The camera sends sound that MP4 cannot hold, so the server converts it to AAC. The video is copied "
        "as it is.",
        "sound is converted",
        None, True
    ),
    (
        "dup", "live",
        "This camera is already here as {camera}",
        "Open it, or add it a second time on purpose.",
        "added twice",
        "url", True
    ),
    # Seen while capturing.
    (
        "starting", "connecting",
        "Connecting",
        "The first picture can take a few seconds.",
        "camera was being connected",
        None, True
    ),
    (
        "stall", "frozen",
        "Picture stopped",
        "The connection is open, but no picture has come {since}. Reconnecting. Recording has a gap since "
        "then.",
        "camera stopped sending",
        None, True
    ),
    (
        "frozen", "frozen",
        "The camera's clock stands still",
        "Pictures arrive, but all with the same time. Reconnecting.",
        "camera's clock stood still",
        None, True
    ),
    (
        "ended", "offline",
        "The camera closed the connection",
        "It may be restarting, or somebody else took its place.",
        "camera offline - it closed the connection",
        None, True
    ),
    (
        "reset", "offline",
        "The connection to the camera broke",
        "It may have lost power or the network between may be down.",
        "camera offline - the connection broke",
        None, True
    ),
    (
        "killed", "offline",
        "The capture process ended unexpectedly",
        "It is started again at once. If this repeats, look at the memory of the server.",
        "capture process ended unexpectedly",
        None, True
    ),
    (
        "changed", "connecting",
        "The picture format changed",
        "The camera now sends another picture size or format; recording continues in a new part.",
        "camera changed its picture format",
        None, True
    ),
    (
        "clock_step", "connecting",
        "A clock jumped",
        "The camera's or the server's clock jumped; recording continues in a new part with the right time.",
        "a clock jumped",
        None, True
    ),
    (
        "damaged", "offline",
        "The camera sends damaged data",
        "What arrives cannot be understood. Restart the camera and check its network cable.",
        "camera offline - it sends damaged data",
        None, True
    ),
    (
        "flood", "refused",
        "The camera sends far too much",
        "More than 100 Mbit/s would push the footage of all other cameras off the disk, so it was stopped. "
        "Lower the bit rate in the camera, or look whether this is the camera at all. We try again rarely.",
        "camera stopped - it sent more than 100 Mbit/s",
        None, True
    ),
    (
        "nostart", "offline",
        "The camera takes the call, but no video starts",
        "It may be starting up, or something else answers on this port. Diagnose looks at it step by step.",
        "camera offline - no video starts",
        "url", True
    ),
    # Storage.
    (
        "disk_full", "storage",
        "Not recording: the disk is full",
        "Nothing more may be deleted to make room. Free some space or add a disk; recording goes on by "
        "itself then.",
        "not recorded - disk full",
        None, True
    ),
    (
        "disk_error", "storage",
        "Not recording: the disk refuses to write",
        "It reports an error or is read-only. Check the disk and its mount; recording goes on by itself "
        "then.",
        "not recorded - disk error",
        None, True
    ),
    (
        "disk_hung", "storage",
        "Not recording: the storage does not respond",
        "A small test write does not end. Check the disk or the network storage; recording goes on by "
        "itself then.",
        "not recorded - storage did not respond",
        None, True
    ),
    (
        "disk_slow", "storage",
        "The storage is too slow",
        "Footage arrives faster than it can be written. Use a faster disk, or fewer or smaller streams.",
        "not recorded - storage too slow",
        None, True
    ),
    (
        "volume_missing", "storage",
        "Not recording: the footage disk is not there",
        "The disk that holds the footage is not mounted, or it is another disk. Nothing is written in its "
        "place.",
        "not recorded - footage disk not mounted",
        None, True
    ),
    # Our own absence, and decisions of people.
    (
        "worker_down", "offline",
        "No capture worker is running",
        "The camera may be fine; nobody records it. Start the capture worker.",
        "not recorded - capture worker was down",
        None, True
    ),
    (
        "host_down", "offline",
        "The server was down",
        "There is no footage of this time, because the server was off or restarting.",
        "not recorded - server was down",
        None, True
    ),
    (
        "limit", "offline",
        "This server converts at most {pictures} at a time",
        "Close another converted picture, or watch this camera in its own quality.",
        "not converted - limit reached",
        None, True
    ),
    (
        "disabled", "off",
        "Turned off",
        "{who} turned this camera off.",
        "camera was turned off",
        None, False
    ),
    (
        "deleted_rule", "off",
        "Deleted by the retention rule",
        "The footage was as old as the rule allows, or the disk needed room.",
        "deleted by the retention rule",
        None, False
    ),
    (
        "deleted_early", "off",
        "Deleted early to make room",
        "The disk was full, so this footage went before its time. Add space, or keep less.",
        "deleted early - disk full",
        None, False
    ),
    (
        "deleted_person", "off",
        "Deleted",
        "{who} deleted this footage.",
        "deleted by a person",
        None, False
    ),
    (
        "lost_file", "storage",
        "Footage is missing",
        "It was recorded, but its file is gone or damaged on the disk.",
        "footage is missing on the disk",
        None, False
    ),
    (
        "forgotten", "offline",
        "Too long ago to say",
        "Why there is no footage of this time is kept for as long as the camera's oldest footage, and at "
        "least for ninety days.",
        "no footage - too long ago to say why",
        None, True
    ),
    (
        "unknown", "offline",
        "The camera could not be captured",
        "The cause could not be told from what was seen; the technical detail says more.",
        "not recorded - cause unknown",
        None, True
    ),
)
