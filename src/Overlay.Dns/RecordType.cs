namespace Overlay.Dns;

/// <summary>Types of resource records (RFC 1035 §3.2.2 and successors) that this resolver knows by name.</summary>
public enum RecordType : ushort
{
    None = 0,
    A = 1,
    Ns = 2,
    Cname = 5,
    Soa = 6,
    DomainPointer = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,

    /// <summary>The pseudo record of EDNS (RFC 6891).</summary>
    Opt = 41,

    /// <summary>The first of the types that only queries carry: 249 TKEY to 255 ANY.</summary>
    FirstMeta = 249,

    /// <summary>Any type: answered with one record set (RFC 8482).</summary>
    Any = 255,
}
