using System.Net;
using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>
/// What others say, as packets bring it. Nearly all of it is known, and that is told from the bytes: only what brings
/// something, or asks for it, becomes an object.
/// </summary>
internal sealed partial class TableSync
{
    /// <summary>To the payload that is being heard.</summary>
    private readonly List<TableMessage> replies = [];

    public void Receive(ReadOnlySpan<byte> payload, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (!TableCodec.IsTablePayload(payload))
        {
            return;
        }

        if (!TableCodec.TryOpen(payload, out ReadOnlySpan<byte> writer, out TableReader messages)
            || !TableCodec.IsSound(messages))
        {
            counters.Rejected++;
            return;
        }

        string name = members.NameOf(writer);
        IPEndPoint back = members.Find(name)?.Address ?? from;
        replies.Clear();
        while (!messages.IsAtEnd && TableFields.TryRead(ref messages, out TableFields message))
        {
            Hear(message, name, messages.IsAtEnd && replies.Count == 0 ? back : null, now, e);
        }

        if (replies.Count > 0 && !members.IsSelf(name))
        {
            sender.Send(back, replies, e);
        }

        NoticePeers(now, e);
    }

    /// <param name="back">Where the one answer to the whole payload goes at once; null: there are several to collect.</param>
    private void Hear(in TableFields message, string from, IPEndPoint? back, Instant now, GossipEffects e)
    {
        NetworkTable? table = store.Find(message.Network);
        switch (message.Kind)
        {
            case TableKind.Question when table is { Subscribed: true }:
                AnswerQuestion(table, message.Epoch, message.Version, from, back, e);
                break;
            case TableKind.Acknowledgement when table is not null:
                acknowledgements.Heard(table.Name, from, message.Epoch, message.Version, now);
                break;
            case TableKind.Summary:
                CompareWith(message);
                break;
            case TableKind.Digest when table is { Subscribed: true }:
                if (back is not null && IsEqual(table, message) && !members.IsSelf(from))
                {
                    sender.WantNothing(back, table.Name, e);
                }
                else
                {
                    replies.AddRange(Answer((TableMessage.Digest)TableCodec.ToMessage(message)));
                }

                break;
            case TableKind.Want when table is not null:
                Fed(table.Name);
                if (message.Count > 0)
                {
                    replies.AddRange(Answer((TableMessage.Want)TableCodec.ToMessage(message)));
                }

                break;
            case TableKind.Delta:
                Fed(table?.Name ?? "");
                if (store.IsKnown(message))
                {
                    counters.Stale++;
                }
                else
                {
                    Take((TableMessage.Delta)TableCodec.ToMessage(message), now, e);
                }

                break;
            default:
                break;
        }
    }

    private void CompareWith(in TableFields summary)
    {
        TableReader lines = summary.Body;
        while (!lines.IsAtEnd && lines.TryReadFingerprint(out ReadOnlySpan<byte> network, out ulong fingerprint))
        {
            if (store.Find(network) is { } table)
            {
                Fed(table.Name);
                if (table.Subscribed && table.Fingerprint != fingerprint)
                {
                    replies.AddRange(Digests(table));
                }
            }
        }
    }

    /// <summary>Whether a digest of all owners says just what this node would say.</summary>
    private bool IsEqual(NetworkTable table, in TableFields digest)
    {
        if (!digest.After.IsEmpty || !digest.Through.IsEmpty || digest.Count != table.LineCount)
        {
            return false;
        }

        TableReader lines = digest.Body;
        string before = "";
        while (!lines.IsAtEnd && lines.TryReadLine(out ReadOnlySpan<byte> utf8, out ulong epoch, out ulong version))
        {
            // In order, so that none is there twice in the place of another.
            if (members.Find(utf8)?.Name is not { } owner || string.CompareOrdinal(owner, before) <= 0
                || version == 0 || Mine(table, owner) != new DigestLine(owner, epoch, version))
            {
                return false;
            }

            before = owner;
        }

        return true;
    }

    private void Take(TableMessage.Delta delta, Instant now, GossipEffects e)
    {
        switch (store.Merge(delta, now, e))
        {
            case TableStore.MergeOutcome.News:
                counters.DeltasApplied++;
                Hurry(now);
                eager.PassOn(delta);
                break;
            case TableStore.MergeOutcome.Behind:
                counters.DeltasApplied++;
                Hurry(now);
                AskForMissing(delta, now);
                break;
            case TableStore.MergeOutcome.Refused:
                counters.Refused++;
                break;
            case TableStore.MergeOutcome.OwnLife:
                OutbidBootId = Math.Max(OutbidBootId, delta.Epoch);
                break;
            default:
                counters.Stale++;
                break;
        }
    }

    private void AnswerQuestion(
        NetworkTable table, ulong epoch, ulong version, string from, IPEndPoint? back, GossipEffects e)
    {
        DigestLine mine = Mine(table, from);
        bool lacks = IsAhead(table, new(from, epoch, version));
        if (back is not null && !lacks && !members.IsSelf(from))
        {
            sender.Acknowledge(back, table.Name, mine.Epoch, mine.Version, e);
            return;
        }

        replies.Add(new TableMessage.Acknowledgement(table.Name, mine.Epoch, mine.Version));
        if (lacks)
        {
            replies.Add(new TableMessage.Want(table.Name, [mine]));
        }
    }

    private void AskForMissing(TableMessage.Delta delta, Instant now)
    {
        OwnerRecord record = store.Find(delta.Network)!.Records[delta.Owner];
        bool morePiecesFollow = delta.To < delta.Head;
        if (!morePiecesFollow && now >= record.QuietUntil)
        {
            record.QuietUntil = now + AskAgain;
            replies.Add(new TableMessage.Want(
                delta.Network, [new(delta.Owner, record.Table.Epoch, record.Table.Version)]));
        }
    }
}
