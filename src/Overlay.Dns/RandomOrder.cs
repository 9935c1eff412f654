using Overlay.Primitives;

namespace Overlay.Dns;

/// <summary>
/// The order in which the records of a name are told: random, so that clients that take the first one spread themselves.
/// Of more than <see cref="Most"/>, more than any message holds, a random run takes part.
/// </summary>
internal readonly ref struct RandomOrder
{
    public const int Most = 4096;

    /// <summary>Room enough for nearly all names, at little cost.</summary>
    public const int Few = 64;

    private readonly Span<ushort> order;
    private readonly int total;
    private readonly int start;

    /// <param name="room">At least as many as the records, or <see cref="Most"/>; kept as long as this is.</param>
    /// <param name="total">How many records there are.</param>
    public RandomOrder(Span<ushort> room, int total, Prng prng)
    {
        this.total = total;
        order = room[..Math.Min(total, Most)];
        start = total > Most ? prng.Next(total) : 0;
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = (ushort)i;
        }
    }

    /// <summary>How many records take part.</summary>
    public int Count => order.Length;

    /// <summary>The record at a place of the order that was drawn already.</summary>
    public int this[int place] => (start + order[place]) % total;

    /// <summary>Draws the record at a place; places are drawn one after the other, from 0.</summary>
    public int Draw(int place, Prng prng)
    {
        int other = place + prng.Next(order.Length - place);
        (order[place], order[other]) = (order[other], order[place]);
        return this[place];
    }
}
