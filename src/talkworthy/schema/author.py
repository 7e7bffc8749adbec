"""Who wrote a post, as the channel showed them when it was collected."""

import pyarrow as pa

from talkworthy.schema.column import column

UNTOLD = "the channel does not say"

AUTHOR = pa.struct(
    [
        column("id", pa.string(), "the channel's own lasting id of the account", null=UNTOLD),
        column("handle", pa.string(), "the name that is typed to reach the account, without a leading @", null=UNTOLD),
        column("name", pa.string(), "the name that is shown", null=UNTOLD),
        column("url", pa.string(), "address of the profile", null=UNTOLD),
        column("avatar", pa.string(), "address of the picture", null=UNTOLD),
        column("bio", pa.string(), "what the account says of itself, as plain text", null=UNTOLD),
        column("followers", pa.int64(), "accounts that follow this one", null=UNTOLD, unit="accounts"),
        column("following", pa.int64(), "accounts that this one follows", null=UNTOLD, unit="accounts"),
        column("verified", pa.bool_(), "whether the channel vouches for the account", null=UNTOLD),
        column("verified_type", pa.string(), "blue, business or government", null="not verified, or " + UNTOLD),
        column("automated", pa.bool_(), "whether the account declares itself a bot", null=UNTOLD),
    ]
)
