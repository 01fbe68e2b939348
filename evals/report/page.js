// Sorts a table by the column whose heading is pressed.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const rows = [...body.rows].sort((a, b) =>
        String(value(a)).localeCompare(String(value(b)), "en", { numeric: true }) || 0);
      const numbers = rows.every((row) => value(row) !== "" && !isNaN(value(row)));
      if (numbers) rows.sort((a, b) => value(a) - value(b));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
