/** The queries of the benches. */

/** As the public federation benchmark asks: everything of everybody, five levels down. */
export const deep = `
  fragment User on User { id username name }
  fragment Review on Review { id body }
  fragment Product on Product { inStock name price shippingEstimate upc weight }
  query Deep($store: ID!) {
    users(store: $store) {
      ...User
      reviews {
        ...Review
        product {
          ...Product
          reviews {
            ...Review
            author { ...User reviews { ...Review product { ...Product } } }
          }
        }
      }
    }
    topProducts(store: $store) {
      ...Product
      reviews {
        ...Review
        author { ...User reviews { ...Review product { ...Product } } }
      }
    }
  }
`;

export const shallow = `
  query Shallow($store: ID!) { topProducts(store: $store, first: 3) { upc name price } }
`;
