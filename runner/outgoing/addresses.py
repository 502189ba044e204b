"""Which addresses nothing may be sent to, by whatever name or notation they come. Pure."""

import ipaddress

# A manifest's author may choose where a request goes but must not read the machine's cloud credentials by it.
_REFUSED = tuple(
    ipaddress.ip_network(each)
    for each in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",  # metadata, DNS and time in AWS, over IPv6
        "64:ff9b::a9fe:0/112",  # 169.254.0.0/16, seen through NAT64
    )
)


def is_link_local(address: str) -> bool:
    """Whether *address* (text of an IP address, a zone may follow) is where a machine's own metadata services answer."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _REFUSED)
