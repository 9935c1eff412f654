namespace Overlay.Raft.Consensus;

/// <summary>Rolling hashes of the state machine at recent indexes, and the leader's claim about one that is not applied yet.</summary>
internal sealed class StateHashes
{
    private const int Kept = 1024;
    private readonly (ulong Index, ulong Hash)[] recent = new (ulong, ulong)[Kept];
    private (MemberId Member, ulong Index, ulong Hash) claim;

    /// <summary>The newest; index 0: none yet.</summary>
    public (ulong Index, ulong Hash) Newest { get; private set; }

    public Divergence? Add(ulong index, ulong hash)
    {
        Newest = (index, hash);
        recent[index % Kept] = Newest;
        Divergence? found = claim.Index == index && claim.Hash != hash ? new(claim.Member, index, hash, claim.Hash) : null;
        claim = claim.Index <= index ? default : claim;
        return found;
    }

    public Divergence? Compare(MemberId member, ulong index, ulong hash)
    {
        if (index == 0)
        {
            return null;
        }

        (ulong Index, ulong Hash) ours = recent[index % Kept];
        if (ours.Index == index)
        {
            return ours.Hash == hash ? null : new(member, index, ours.Hash, hash);
        }

        // One claim at a time, kept until its index is reached: so that every so often one is really compared.
        if (index > Newest.Index && claim.Index == 0)
        {
            claim = (member, index, hash);
        }

        return null;
    }
}
