namespace Overlay.Simulation.Linearizability;

/// <summary>Calls and returns by time, doubly linked, so that an operation's two events leave and come back in O(1).</summary>
internal sealed class EventList(int operations)
{
    public const int None = -1;

    private const int Head = 0;

    private readonly int[] next = new int[(operations * 2) + 1];
    private readonly int[] previous = new int[(operations * 2) + 1];
    private readonly int[] operationOf = new int[(operations * 2) + 1];
    private readonly bool[] returns = new bool[(operations * 2) + 1];
    private readonly int[] calls = new int[operations];
    private readonly int[] answers = new int[operations];

    public int First => next[Head];

    public void Fill(List<(long At, bool IsReturn, int Operation)> order)
    {
        Array.Fill(answers, None);
        next[Head] = None;
        for (int i = 0; i < order.Count; i++)
        {
            int at = i + 1;
            operationOf[at] = order[i].Operation;
            returns[at] = order[i].IsReturn;
            (order[i].IsReturn ? answers : calls)[order[i].Operation] = at;
            previous[at] = at - 1;
            next[at - 1] = at;
            next[at] = None;
        }
    }

    public int Next(int at) => next[at];

    public bool IsReturn(int at) => returns[at];

    public int Operation(int at) => operationOf[at];

    public int CallOf(int operation) => calls[operation];

    public void Lift(int operation)
    {
        Take(calls[operation]);
        Take(answers[operation]);
    }

    /// <summary>Undoes the latest <see cref="Lift"/> that is not undone: the links of what left still say where it stood.</summary>
    public void Unlift(int operation)
    {
        PutBack(answers[operation]);
        PutBack(calls[operation]);
    }

    private void Take(int at)
    {
        if (at != None)
        {
            next[previous[at]] = next[at];
            if (next[at] != None)
            {
                previous[next[at]] = previous[at];
            }
        }
    }

    private void PutBack(int at)
    {
        if (at != None)
        {
            next[previous[at]] = at;
            if (next[at] != None)
            {
                previous[next[at]] = at;
            }
        }
    }
}
